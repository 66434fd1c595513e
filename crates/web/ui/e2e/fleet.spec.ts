// The main journey against a real server in demo mode: signs in, sees the fleet, causes an outage of a village,
// watches the incident appear and resolve, searches the archive with a reason.
//
// SHARPEYES_URL, SHARPEYES_USER, SHARPEYES_PASSWORD (the one-time password, or the one chosen before),
// SHARPEYES_NEW_PASSWORD (chosen if a new one is asked for), SHARPEYES_SHOTS (folder for pictures; none if unset).
import { statSync } from 'node:fs'
import { expect, test, type Page } from '@playwright/test'
import { shot } from './shot'

const user = process.env.SHARPEYES_USER ?? 'admin'
const password = process.env.SHARPEYES_PASSWORD ?? ''
const chosen = process.env.SHARPEYES_NEW_PASSWORD ?? 'every village has an eye 42'
const PHONE = { width: 390, height: 844 }
const DESKTOP = { width: 1440, height: 900 }

interface Fleet {
  sites: { id: number; name: string; kind: string }[]
  cameras: { id: number; site: number; uplink: number | null }[]
}
interface States {
  cameras: { id: number; status: string }[]
}

/** Asks the API as the page does. */
async function ask<T>(page: Page, path: string): Promise<T> {
  return page.evaluate(async (path) => {
    const answer = await fetch(`/api/v1${path}`)
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return (await answer.json()) as unknown
  }, path) as Promise<T>
}

async function onPhone(page: Page, name: string): Promise<void> {
  await page.setViewportSize(PHONE)
  // A phone shows everything in its width.
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
  await shot(page, `phone-${name}`, 600)
  await page.setViewportSize(DESKTOP)
}

async function enter(page: Page, secret: string): Promise<void> {
  await page.locator('#name').fill(user)
  await page.locator('#password').fill(secret)
  await page.locator('button[type=submit]').click()
}

async function signIn(page: Page): Promise<void> {
  await page.goto('/')
  await expect(page).toHaveURL(/\/sign-in/)
  await shot(page, 'sign-in')
  await enter(page, password)
  const outcome = page.locator('.failure, #fresh, [data-test=total]').first()
  await outcome.waitFor()
  if (await page.locator('.failure').isVisible()) {
    // A run before this one has already chosen the password.
    await enter(page, chosen)
  }
  await page.locator('#fresh, [data-test=total]').first().waitFor()
  if (await page.locator('#fresh').isVisible()) {
    await page.locator('#old').fill(password)
    await page.locator('#fresh').fill(chosen)
    await page.locator('#again').fill(chosen)
    await page.locator('button[type=submit]').click()
  }
  await page.locator('[data-test=total]').waitFor()
}

test('an outage of a village, from the first glance to the archive', async ({ page }) => {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))

  await signIn(page)

  // ---- the fleet ----
  const fleet = await ask<Fleet>(page, '/fleet')
  const all = fleet.cameras.length
  await expect(page.locator('[data-test=total]')).toHaveText(all.toLocaleString('zh-CN'))
  await expect
    .poll(async () => (await ask<States>(page, '/states')).cameras.filter((c) => ['online', 'impaired'].includes(c.status)).length, {
      message: 'most cameras deliver video',
      timeout: 120_000,
      intervals: [1000],
    })
    .toBeGreaterThan(all * 0.8)
  await shot(page, 'overview')
  await onPhone(page, 'overview')

  // ---- the wall ----
  await page.locator('nav a[href="/wall"]').first().click()
  await expect(page.locator('[data-test=wall] [data-camera]').first()).toBeVisible()
  await expect(page.locator('[data-test=shown]')).toContainText(all.toLocaleString('zh-CN'))
  await expect
    .poll(() => page.locator('[data-test=wall] img').evaluateAll((images) => images.filter((i) => (i as HTMLImageElement).naturalWidth > 0).length))
    .toBeGreaterThan(10)
  await shot(page, 'wall')
  await onPhone(page, 'wall')

  // ---- a village in good order ----
  const states = new Map((await ask<States>(page, '/states')).cameras.map((c) => [c.id, c.status]))
  const village = fleet.sites.find((site) => {
    const here = fleet.cameras.filter((camera) => camera.site === site.id)
    return site.kind === 'village' && here.length >= 2 && here.every((camera) => states.get(camera.id) === 'online')
  })
  if (!village) throw new Error('no village is in good order')
  const here = fleet.cameras.filter((camera) => camera.site === village.id)
  const first = here[0]!

  // ---- one camera of it ----
  await page.goto(`/wall?site=${village.id}`)
  await page.locator(`[data-camera="${first.id}"]`).click()
  await expect(page).toHaveURL(new RegExp(`/cameras/${first.id}$`))
  await expect(page.locator('[data-test=camera-status]')).toHaveAttribute('data-status', 'online')
  await expect(page.locator('[data-test=ladder] [data-outcome=passed]')).not.toHaveCount(0)
  await page.waitForTimeout(500)
  await shot(page, 'camera')
  await onPhone(page, 'camera')

  // ---- the outage ----
  await page.goto(`/demo?kind=site&id=${village.id}&fault=power_off`)
  await page.locator('[data-test=cause]').click()
  const active = page.locator('[data-test=active-fault]', { hasText: village.name })
  await expect(active.first()).toBeVisible()
  await shot(page, 'demo')
  try {
    await page.locator('nav a[href="/incidents"]').first().click()
    const scopes = [`site/${village.id}`, ...new Set(here.map((camera) => `uplink/${camera.uplink}`))]
    const item = page.locator('[data-test=open-incidents]').locator(scopes.map((scope) => `[data-scope="${scope}"]`).join(', '))
    await expect(item.first()).toBeVisible({ timeout: 90_000 })
    const number = await item.first().getAttribute('data-incident')
    await item.first().click()
    await expect(page.locator('[data-test=incident-open]')).toBeVisible()
    await expect(page).toHaveTitle(/^\(\d+\) /)
    for (const camera of here) {
      await expect(page.locator(`[data-test=incident] a[href="/cameras/${camera.id}"]`)).toBeVisible({ timeout: 60_000 })
    }
    await shot(page, 'incident')
    await onPhone(page, 'incident')

    await page.goto(`/cameras/${first.id}`)
    await expect(page.locator('[data-test=camera-status]')).toHaveAttribute('data-status', 'offline', { timeout: 60_000 })
    await expect(page.locator('[data-test=ladder] [data-outcome=failed]')).toHaveAttribute('data-layer', 'network')
    await shot(page, 'camera-offline')

    // ---- the return ----
    await page.goto('/demo')
    await active.first().locator('[data-test=lift]').click()
    await expect(active).toHaveCount(0)
    await page.goto(`/incidents/${number}`)
    await expect(page.locator('[data-test=incident-resolved]')).toBeVisible({ timeout: 150_000 })
    await shot(page, 'incident-resolved')
  } finally {
    await page.evaluate(
      (id) =>
        fetch('/api/v1/demo/fault', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ target: { kind: 'site', id }, fault: 'power_off', on: false }),
        }).catch(() => undefined),
      village.id,
    )
  }

  // ---- the archive ----
  await page.goto('/snapshots')
  await page.locator('[data-test=search]').click()
  await page.locator('[data-test=reason]').fill('端到端测试')
  await page.locator('[data-test=reason-confirm]').click()
  await expect(page.locator('[data-test=snapshot]').first()).toBeVisible({ timeout: 30_000 })
  await expect
    .poll(() => page.locator('[data-test=snapshot] img').first().evaluate((image) => (image as HTMLImageElement).naturalWidth))
    .toBeGreaterThan(0)
  await page.waitForTimeout(800)
  await shot(page, 'snapshots')
  await page.locator('[data-test=snapshot]').first().click()
  await expect(page.locator('[data-test=verified]')).toHaveAttribute('data-verified', 'true')
  await expect
    .poll(() => page.locator('[data-test=viewer] img').evaluate((image) => (image as HTMLImageElement).naturalWidth))
    .toBeGreaterThan(600)
  await shot(page, 'snapshot')

  // ---- what proves it, link by link, and taking it out ----
  await page.locator('[data-test=examine]').click()
  await expect(page.locator('[data-test=proof] li')).toHaveCount(7)
  await expect(page.locator('[data-test=proof] [data-outcome=fails]')).toHaveCount(0)
  await shot(page, 'proof')
  const seen = Number(/\/cameras\/(\d+)/.exec((await page.locator('[data-test=viewer] a[href^="/cameras/"]').first().getAttribute('href')) ?? '')?.[1])
  await page.locator('[data-test=export]').click()
  await page.locator('[data-test=export-reason]').fill('端到端测试')
  await page.locator('[data-test=export-document]').fill('测试〔2026〕1号')
  await page.locator('[data-test=export-send]').click()
  await expect(page.locator('[data-test=export-send]')).toBeHidden()
  await page.goto('/exports')
  await expect(page.locator('[data-test=exports] [data-state=done]').first()).toBeVisible({ timeout: 60_000 })
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('[data-test=download]').first().click()])
  expect(download.suggestedFilename()).toMatch(/^evidence-\d+\.zip$/)
  expect(statSync(await download.path()).size).toBeGreaterThan(20_000)
  await shot(page, 'exports')
  await onPhone(page, 'exports')

  // ---- a camera's day, two instants of it compared ----
  await page.goto(`/snapshots/day?camera=${seen}`)
  // Another search asks for its own reason.
  await page.locator('[data-test=reason]').fill('端到端测试')
  await page.locator('[data-test=reason-confirm]').click()
  await expect.poll(() => page.locator('[data-test=shot]').count(), { timeout: 60_000, intervals: [1000] }).toBeGreaterThan(1)
  for (const at of [0, 1]) await page.locator('[data-test=day] input[type=checkbox]').nth(at).check()
  await shot(page, 'day')
  await onPhone(page, 'day')
  await page.locator('[data-test=compare-open]').click()
  await expect
    .poll(() => page.locator('[data-test=compare] img').evaluateAll((images) => images.filter((i) => (i as HTMLImageElement).naturalWidth > 600).length))
    .toBe(2)
  await shot(page, 'compare')

  // ---- the log, computed again ----
  await page.goto('/audit')
  await page.locator('[data-test=verify-log]').click()
  await expect(page.locator('[data-test=log-verified].s-online')).toBeVisible()

  // ---- the other pages, on the desk and on the phone ----
  for (const path of ['/sites', '/users', '/audit', '/self']) {
    await page.goto(path)
    await expect(page.locator('.page')).toBeVisible()
    await shot(page, path.slice(1), 500)
    await onPhone(page, path.slice(1))
  }
  expect(complaints).toEqual([])
})
