// Pictures of what a test saw, kept where SHARPEYES_SHOTS says.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'

const folder = process.env.SHARPEYES_SHOTS

/** `settle`: milliseconds in which what moves comes to rest, for the picture alone. */
export async function shot(page: Page, name: string, settle = 0): Promise<void> {
  if (!folder) return
  await page.waitForTimeout(settle)
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
