// An auditor's pages in a real browser: node auditor.mjs URL NAME PASSWORD CAMERA FROM YESTERDAY. Prints one JSON line of what
// they showed. SHARPEYES_SHOTS names a folder for pictures of them.
import { chromium } from '@playwright/test'

const [url, name, password, camera, from, yesterday] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: process.env.SHARPEYES_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
})
const page = await browser.newPage({ locale: 'zh-CN', viewport: { width: 1366, height: 900 } })
const said = { complaints: [] }
page.on('pageerror', (error) => said.complaints.push(String(error)))
const shot = async (what) => {
  if (process.env.SHARPEYES_SHOTS) await page.screenshot({ path: `${process.env.SHARPEYES_SHOTS}/${what}.png` })
}
const because = async () => {
  await page.locator('[data-test=reason]').fill('案件核查')
  await page.locator('[data-test=reason-confirm]').click()
  await page.locator('[data-test=reason-confirm]').waitFor({ state: 'hidden' })
}
const text = async (locator) => (await locator.innerText()).replace(/\s+/g, ' ')

await page.goto(url)
await page.locator('#name').fill(name)
await page.locator('#password').fill(password)
await page.locator('button[type=submit]').click()
await page.locator('.side').first().waitFor()

// ---- by cause ----
await page.goto(`${url}/snapshots?town=1&from=${from}`)
await because()
await page.locator('[data-test=snapshots] li').first().waitFor()
said.everything = await page.locator('[data-test=snapshots] li').count()
await page.locator('[data-test=cause] input').click()
await page.locator('[data-test=cause] input').fill('设备无应答')
await page.locator('.el-select-dropdown__item:visible', { hasText: '设备无应答' }).click()
await page.locator('[data-test=search]').click()
await because()
await page.waitForFunction(() => document.querySelectorAll('[data-test=snapshots] li').length === 1)
said.byCause = await text(page.locator('[data-test=snapshots] li'))
said.address = new URL(page.url()).searchParams.get('cause')
await shot('by-cause')

// ---- one picture: the camera's clock ----
await page.goto(`${url}/snapshots?camera=${camera}&from=${from}&kind=snapshot`)
await because()
await page.locator('[data-test=snapshot]').first().click()
said.clock = await text(page.locator('[data-test=camera-clock]'))
await shot('camera-clock')

// ---- two days ----
await page.goto(`${url}/snapshots/day?camera=${camera}&day=${yesterday}`)
await because()
await page.locator('[data-test=day]').waitFor()
said.gap = await text(page.locator('[data-test=day] li', { has: page.locator('[data-test=gap]') }).first())
said.found = await text(page.locator('.filters [role=status]'))
await page.locator('[data-test=day] input[type=checkbox]').first().check()
await page.locator('.filters button.chip[aria-label]').nth(1).click()
await because()
await page.locator('[data-test=chosen-elsewhere]').waitFor()
await page.locator('[data-test=day] input[type=checkbox]').first().check()
await shot('day')
await page.locator('[data-test=compare-open]').click()
await page.waitForFunction(
  () => [...document.querySelectorAll('[data-test=compare] img')].filter((image) => image.naturalWidth > 0).length === 2,
)
said.compared = await text(page.locator('[data-test=compare]'))
await shot('compare')
console.log(JSON.stringify(said))
await browser.close()
