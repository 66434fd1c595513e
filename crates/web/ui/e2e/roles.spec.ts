// What each role comes for, and what it does not get to see: operator, technician on a telephone, auditor,
// administrator, security administrator. Against a real server in demo mode; see fleet.spec.ts for the settings.
import { expect, test, type Browser, type Page } from '@playwright/test'
import { ask, enter } from './enter'
import { judged } from './judged'
import { shot } from './shot'

const OWN = 'a lantern over the county road'
const PHONE = { width: 360, height: 780 }

async function send<T>(page: Page, method: string, path: string, body: object): Promise<T> {
  return page.evaluate(
    async ([method, path, body]) => {
      const answer = await fetch(`/api/v1${path}`, { method, headers: { 'content-type': 'application/json' }, body })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
      return (text ? JSON.parse(text) : null) as unknown
    },
    [method, path, JSON.stringify(body)] as const,
  ) as Promise<T>
}

interface Made {
  user: { id: number; name: string }
  password: string
}
/** A new account of this role; its name carries the time, so that the journey can be made again. */
async function account(admin: Page, role: string): Promise<Made> {
  const name = `${role}-${Date.now().toString(36)}`
  return send<Made>(admin, 'POST', '/users', { name, full_name: `${role} 某`, unit: '维护一队', role, ...(role === 'technician' ? { expires: Date.now() + 30 * 86_400_000 } : {}) })
}

/** Signs in with a one-time password and chooses one of one's own. */
async function begin(browser: Browser, made: Made, viewport = { width: 1440, height: 900 }): Promise<Page> {
  const page = await (await browser.newContext({ viewport, locale: 'zh-CN', timezoneId: 'UTC' })).newPage()
  await page.goto('/sign-in')
  await page.locator('#name').fill(made.user.name)
  await page.locator('#password').fill(made.password)
  await page.locator('button[type=submit]').click()
  await page.locator('#fresh').waitFor()
  await page.locator('#old').fill(made.password)
  await page.locator('#fresh').fill(OWN)
  await page.locator('#again').fill(OWN)
  await page.locator('button[type=submit]').click()
  await page.locator('.frame').waitFor()
  return page
}

/** Where each role spends its time, axe finds nothing serious, and nothing is wider than the screen. */
async function usable(page: Page): Promise<void> {
  await expect(page.locator('.notice .spinner')).toHaveCount(0, { timeout: 20_000 })
  expect(await judged(page, new URL(page.url()).pathname, page.viewportSize()?.width ?? 0)).toEqual([])
}

async function hidden(page: Page, path: string): Promise<void> {
  await page.goto(path)
  await expect(page).toHaveTitle(/没有这个页面/)
}

test('each role finds what it comes for and nothing else', async ({ page: admin, browser }) => {
  await enter(admin)
  const { cameras } = await ask<{ cameras: { id: number; site: number }[] }>(admin, '/fleet')
  const [first, other] = [cameras[0]!, cameras.find((camera) => camera.site !== cameras[0]!.site)!]

  // ---- administrator: a record changed by hand and changed back ----
  await admin.goto('/register')
  await admin.locator('[data-test=camera-row]').first().waitFor()
  await shot(admin, 'register')
  await admin.locator('[data-test=edit-camera]').first().click()
  await admin.locator('#c-address').fill('晒谷坪东侧')
  await admin.locator('[data-test=try-address]').click()
  await expect(admin.locator('[data-test=try-works]')).toBeVisible({ timeout: 60_000 })
  await shot(admin, 'register-camera')
  await admin.locator('[data-test=save-record]').click()
  await expect(admin.locator('#record-form')).toHaveCount(0)
  await admin.goto('/register?tab=changes')
  await admin.locator('[data-test=undo]').first().click()
  await shot(admin, 'register-undo')
  await admin.locator('[data-test=undo-confirm]').click()
  await expect(admin.locator('[data-test=change]').first()).toContainText('撤销')

  // ---- a technician on his telephone: only what was given to him ----
  const made = await account(admin, 'technician')
  const technician = await begin(browser, made, PHONE)
  await technician.goto(`/cameras/${first.id}`)
  await expect(technician.locator('[data-test=no-order]')).toBeVisible()
  await expect(technician.locator('[data-test=play]')).toHaveCount(0)
  await usable(technician)
  await send(admin, 'POST', '/demo/fault', { target: { kind: 'camera', id: first.id }, fault: 'power_off', on: true })
  const incident = async () =>
    (await ask<{ items: { id: number; members: { camera: number }[] }[] }>(admin, '/incidents?open=true')).items.find((one) => one.members.some((member) => member.camera === first.id))?.id
  await expect.poll(incident, { timeout: 120_000 }).toBeTruthy()
  const order = await send<{ id: number; version: number }>(admin, 'POST', '/orders', { incident: await incident(), note: '请现场查看' })
  await send(admin, 'POST', `/orders/${order.id}/act`, { act: 'assign', version: order.version, technician: made.user.id })
  await technician.goto('/orders')
  await expect(technician.getByText(`G${order.id}`).first()).toBeVisible()
  await shot(technician, 'phone-technician-orders')
  await usable(technician)
  await technician.goto(`/cameras/${first.id}`)
  await expect(technician.locator('[data-test=play]')).toBeVisible()
  await shot(technician, 'phone-technician-camera')
  await usable(technician)
  await technician.goto(`/cameras/${other.id}`)
  await expect(technician.locator('[data-test=no-order]')).toBeVisible()
  for (const path of ['/snapshots', '/users', '/audit']) await hidden(technician, path)
  await send(admin, 'POST', '/demo/fault', { target: { kind: 'camera', id: first.id }, fault: 'power_off', on: false })

  // ---- operator ----
  const operator = await begin(browser, await account(admin, 'operator'))
  await operator.locator('[data-test=total]').waitFor()
  await operator.goto(`/cameras/${other.id}`)
  await expect(operator.locator('[data-test=play]')).toBeVisible()
  await expect(operator.locator('[data-test=edit-record]')).toHaveCount(0)
  await operator.goto('/orders')
  await expect(operator.getByText(`G${order.id}`).first()).toBeVisible()
  await shot(operator, 'operator-orders')
  await usable(operator)
  for (const path of ['/register', '/users', '/tokens', '/audit']) await hidden(operator, path)

  // ---- auditor: the archive and the log, never live ----
  const auditor = await begin(browser, await account(admin, 'auditor'))
  await auditor.goto('/audit')
  await expect(auditor.getByText('新增用户').first()).toBeVisible()
  await shot(auditor, 'auditor-log')
  await usable(auditor)
  await auditor.goto('/snapshots')
  await auditor.locator('.page').waitFor()
  await usable(auditor)
  await auditor.goto(`/cameras/${other.id}`)
  await auditor.locator('[data-test=camera-name]').waitFor()
  await expect(auditor.locator('[data-test=no-order]')).toContainText('审计员')
  await usable(auditor)
  await expect(auditor.locator('[data-test=play]')).toHaveCount(0)
  for (const path of [`/live?cameras=${other.id}`, '/register', '/users']) await hidden(auditor, path)

  // ---- security administrator: accounts and tokens, nothing of the county ----
  const security = await begin(browser, await account(admin, 'security'))
  await expect(security).toHaveURL(/\/users$/)
  await expect(security.locator('.side .place')).toHaveCount(2)
  await security.locator('[data-test=sign-ins]').first().click()
  await shot(security, 'security-sign-ins')
  await usable(security)
  await security.goto('/tokens')
  await security.locator('[data-test=make-token]').click()
  await security.locator('#t-name').fill(`大屏 ${Date.now()}`)
  await security.locator('button[form=token-form]').click()
  await expect(security.getByText(/spk_/)).toBeVisible()
  await shot(security, 'security-token')
  await usable(security)
  for (const path of ['/wall', `/cameras/${first.id}`, '/orders', '/snapshots']) await hidden(security, path)

  // ---- the second factor, as anybody sets it up ----
  await operator.goto('/account')
  await operator.locator('[data-test=factor-set]').click()
  await operator.locator('#confirm').fill(OWN)
  await operator.locator('#confirm').press('Enter')
  await expect(operator.locator('[data-test=factor-secret]')).toBeVisible()
  await shot(operator, 'account-factor')
  await usable(operator)
})
