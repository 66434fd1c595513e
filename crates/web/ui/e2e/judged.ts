// What axe finds serious on a page, and what is wider than its screen.
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'

export async function judged(page: Page, path: string, width: number): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  const serious = violations.filter((found) => found.impact === 'serious' || found.impact === 'critical')
  const told = serious.flatMap((found) => found.nodes.slice(0, 3).map((node) => `${path} at ${width}: ${found.id} ${String(node.target)} ${node.failureSummary?.split('\n')[1] ?? ''}`))
  return [...told, ...(await tooWide(page, path, width))]
}

export async function tooWide(page: Page, path: string, width: number): Promise<string[]> {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  return wide > 0 ? [`${path} at ${width}: ${wide} px wider than the screen`] : []
}
