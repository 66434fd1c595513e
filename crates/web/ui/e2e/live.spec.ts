// Live view against a real server in demo mode: a running picture at once, side by side, in pictures where the
// browser cannot play the coding, and a slow viewer who slows nobody.
import { expect, test, type Locator, type Page } from '@playwright/test'
import { ask, enter } from './enter'
import { shot } from './shot'


interface CameraPage {
  figures: { codec: string | null; width: number; height: number } | null
}

/** Cameras that deliver video, by coding. */
async function byCodec(page: Page, codec: string, count: number): Promise<{ id: number; width: number }[]> {
  const found: { id: number; width: number }[] = []
  await expect
    .poll(
      async () => {
        const { cameras } = await ask<{ cameras: { id: number; status: string }[] }>(page, '/states')
        found.length = 0
        for (const { id, status } of cameras) {
          if (status !== 'online' && status !== 'impaired') continue
          const { figures } = await ask<CameraPage>(page, `/cameras/${id}`)
          if (figures?.codec === codec && figures.width > 0) found.push({ id, width: figures.width })
          if (found.length >= count) break
        }
        return found.length
      },
      { message: `${count} cameras with ${codec}`, timeout: 120_000, intervals: [1000] },
    )
    .toBeGreaterThanOrEqual(count)
  return found
}

const clock = (video: Locator) => video.evaluate((v: HTMLVideoElement) => v.currentTime)

async function runs(video: Locator): Promise<void> {
  const before = await clock(video)
  await expect.poll(() => clock(video), { timeout: 20_000 }).toBeGreaterThan(before + 1.5)
}

test('a live picture, at once, side by side, and slow viewers slow nobody', async ({ page }) => {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await enter(page)

  // ---- one camera ----
  const h264 = await byCodec(page, 'h264', 3)
  const first = h264[0]!
  await page.goto(`/cameras/${first.id}`)
  await page.locator('[data-test=camera-status]').waitFor()
  // Opening the page has told the service that somebody may watch; give it a keyframe to keep.
  await page.waitForTimeout(4_000)
  const playing = page.locator('[data-test=live][data-phase=playing]')
  const began = Date.now()
  await page.locator('[data-test=play]').click()
  await playing.waitFor({ timeout: 20_000 })
  const took = Date.now() - began
  console.log(`first live frame after ${took} ms`)
  expect(took).toBeLessThan(6_000)
  const video = playing.locator('video')
  expect(await video.evaluate((v: HTMLVideoElement) => v.videoWidth)).toBe(first.width)
  await runs(video)
  await shot(page, 'live-camera')

  // ---- a viewer who takes nothing, beside one who does ----
  const slow = page.evaluate(
    (id) =>
      new Promise<string>((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/api/v1/cameras/${id}/live`)
        let got = 0
        let bytes = 0
        let quiet: ReturnType<typeof setTimeout> | undefined
        const giveUp = setTimeout(() => reject(new Error(`nothing was skipped; ${bytes} bytes came`)), 60_000)
        socket.binaryType = 'arraybuffer'
        socket.onmessage = (event) => {
          if (typeof event.data === 'string') {
            const said = JSON.parse(event.data) as { state: string; why?: string }
            if (said.state !== 'skipped') return
            clearTimeout(giveUp)
            socket.close()
            resolve(`${said.why} after ${bytes} bytes`)
            return
          }
          got += 1
          bytes += (event.data as ArrayBuffer).byteLength
          clearTimeout(quiet)
          // Only when nothing has come for a while: more than a slow browser, a sleeping one.
          quiet = setTimeout(() => socket.send(JSON.stringify({ got })), 4_000)
        }
      }),
    first.id,
  )
  await runs(video)
  expect(await slow).toMatch(/^slow after /)
  await runs(video)
  await page.locator('[data-test=play]').click()
  await expect(page.locator('[data-test=live]')).toHaveCount(0)

  // ---- what this browser cannot play ----
  const [other] = await byCodec(page, 'h265', 1)
  await page.goto(`/live?cameras=${other!.id}`)
  const live = page.locator('[data-test=live]')
  await expect(live).toHaveAttribute('data-phase', /^(pictures|playing)$/, { timeout: 20_000 })
  if ((await live.getAttribute('data-phase')) === 'pictures') {
    await expect.poll(() => live.locator('img[src^="blob:"]').evaluate((i: HTMLImageElement) => i.naturalWidth), { timeout: 20_000 }).toBeGreaterThan(300)
    await expect(live).toContainText('H.265')
    await shot(page, 'live-pictures')
  }

  // ---- side by side ----
  const split = [...h264.map((camera) => camera.id), other!.id]
  await page.goto(`/live?cameras=${split.join(',')}`)
  await expect(page.locator('[data-test=live][data-phase=playing]')).toHaveCount(3, { timeout: 30_000 })
  await expect(page.locator('[data-test=split-4]')).toHaveAttribute('aria-pressed', 'true')
  for (const { id } of h264) await runs(page.locator(`[data-camera="${id}"] video`))
  await shot(page, 'live-split')
  await page.setViewportSize({ width: 360, height: 780 })
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
  await shot(page, 'phone-live')
  await page.setViewportSize({ width: 1440, height: 900 })

  // ---- it is written down, and a camera was never pulled twice ----
  const { items } = await ask<{ items: { action: string; object: string }[] }>(page, '/audit?limit=50')
  expect(items.some((entry) => entry.action === 'live_opened')).toBe(true)
  expect(items.some((entry) => entry.action === 'live_closed')).toBe(true)
  expect(complaints).toEqual([])
})
