// The map against a real server in demo mode, without internet: drawn, chosen from by keyboard, remembered by the address.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import { enter } from './enter'

const shots = process.env.SHARPEYES_SHOTS

test('cameras on the map', async ({ page }) => {
  const foreign: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (['http:', 'https:'].includes(url.protocol) && url.origin !== new URL(page.url()).origin && page.url() !== 'about:blank') foreign.push(request.url())
  })
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await enter(page)
  await page.goto('/map')
  await expect(page.locator('[data-test=map]')).toHaveAttribute('data-state', 'shown', { timeout: 20_000 })
  // Something is drawn on the ground: not all of one colour.
  await expect(page).toHaveURL(/at=/, { timeout: 30_000 })
  await page.waitForTimeout(1_500)
  if (shots) {
    mkdirSync(shots, { recursive: true })
    await page.screenshot({ path: join(shots, 'map.png') })
  }
  const before = new URL(page.url()).searchParams.get('at')
  await page.locator('[data-test=map] canvas').focus()
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => new URL(page.url()).searchParams.get('at'), { timeout: 20_000 }).not.toBe(before)
  const item = page.locator('[data-map-item]').first()
  await item.focus()
  await page.keyboard.press('Enter')
  await expect(page.locator('[data-test=map-camera]')).toContainText('GCJ-02')
  await expect(page).toHaveURL(/camera=\d+/)
  expect(foreign).toEqual([])
  expect(complaints).toEqual([])
})

test('without WebGL the cameras are in the list all the same', async ({ page }) => {
  await page.addInitScript(() => {
    const original = HTMLCanvasElement.prototype.getContext
    HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
      return /webgl/.test(kind) ? null : (original as (...all: unknown[]) => unknown).call(this, kind, ...rest)
    } as typeof original
  })
  await enter(page)
  await page.goto('/map')
  await expect(page.locator('.chart [role=status]')).toContainText('WebGL')
  await expect(page.locator('[data-map-item]').first()).toBeVisible()
})
