// What a person says of a verdict on a picture: confirmed, a false alarm for a while, the usual picture made anew.
// Against a real server in demo mode; see fleet.spec.ts for the settings.
import { expect, test } from '@playwright/test'
import { ask, enter } from './enter'
import { shot } from './shot'

interface Verdict {
  findings: { cause: string; said: string | null; excepted: boolean }[]
  exceptions: { cause: string }[]
  present: { id: string } | null
  baseline: { accepted_by: string | null }
}

test('a verdict on a picture is confirmed, called a false alarm, and the usual picture is made anew', async ({ page }) => {
  await enter(page)
  const { cameras } = await ask<{ cameras: { id: number; status: string }[] }>(page, '/states')
  const id = cameras.filter((camera) => camera.status === 'online').at(-1)!.id
  const fault = (on: boolean) =>
    page.evaluate(
      async (body) => {
        const answer = await fetch('/api/v1/demo/fault', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
        if (!answer.ok) throw new Error(await answer.text())
      },
      JSON.stringify({ target: { kind: 'camera', id }, fault: 'black', on }),
    )
  const verdict = () => ask<Verdict>(page, `/cameras/${id}/picture`)

  await fault(true)
  await page.goto(`/cameras/${id}`)
  const black = page.locator('.finding', { hasText: '黑屏' })
  await expect(black).toBeVisible({ timeout: 120_000 })

  // ---- confirmed ----
  await black.locator('[data-test=confirm]').click()
  await expect(black).toContainText('已确认')
  await expect(black.locator('[data-test=confirm]')).toBeDisabled()
  await shot(page, 'verdict-confirmed')

  // ---- a false alarm, for four hours: shown, and no longer told ----
  await black.locator('[data-test=false-alarm]').click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.locator('[data-test=reason-confirm]')).toBeDisabled()
  await dialog.locator('[data-test=reason]').fill('夜间无路灯，属正常')
  await dialog.getByRole('button', { name: '4 小时', exact: true }).click()
  await dialog.locator('[data-test=reason-confirm]').click()
  await expect(page.locator('[data-test=end-exception]')).toBeVisible()
  await expect(page.locator('[data-test=verdict]')).toContainText('夜间无路灯，属正常')
  const state = async () => (await ask<{ cameras: { id: number; cause: string | null }[] }>(page, '/states')).cameras.find((camera) => camera.id === id)?.cause
  await expect.poll(state, { timeout: 120_000 }).toBeNull()
  await shot(page, 'verdict-excepted')

  // ---- the exception ends before its time: told again ----
  await page.locator('[data-test=end-exception]').click()
  await expect(page.locator('[data-test=end-exception]')).toHaveCount(0)
  await expect.poll(state, { timeout: 120_000 }).toBe('picture_black')
  await fault(false)
  await expect.poll(state, { timeout: 120_000 }).toBeNull()

  // ---- both pictures side by side, and the present one becomes the usual one ----
  await expect.poll(async () => (await verdict()).present !== null, { timeout: 120_000 }).toBe(true)
  await page.reload()
  await page.locator('[data-test=compare]').click()
  await expect(dialog.locator('[data-test=baseline-accept]')).toBeDisabled()
  await dialog.locator('[data-test=baseline-reason]').fill('摄像机已重新安装')
  await dialog.locator('[data-test=show-both]').click()
  const present = dialog.locator('[data-test=present]')
  await expect.poll(() => present.evaluate((picture: HTMLImageElement) => picture.naturalWidth)).toBeGreaterThan(0)
  await shot(page, 'verdict-compare')
  await dialog.locator('[data-test=baseline-accept]').click()
  await expect(dialog).toHaveCount(0)
  await expect(page.locator('[data-test=verdict]')).toContainText('采用')
  expect((await verdict()).baseline.accepted_by).toBeTruthy()
})
