// Signing in, whatever was done with the account before.
import type { Page } from '@playwright/test'

const user = process.env.SHARPEYES_USER ?? 'admin'
const password = process.env.SHARPEYES_PASSWORD ?? ''
const chosen = process.env.SHARPEYES_NEW_PASSWORD ?? 'every village has an eye 42'

async function fill(page: Page, secret: string): Promise<void> {
  await page.locator('#name').fill(user)
  await page.locator('#password').fill(secret)
  await page.locator('button[type=submit]').click()
}

/** Signs the administrator in; chooses the password at the very first time. */
export async function enter(page: Page): Promise<void> {
  await page.goto('/')
  await fill(page, chosen)
  await page.locator('.failure, [data-test=total]').first().waitFor()
  if (!(await page.locator('.failure').isVisible())) return
  await fill(page, password)
  await page.locator('#fresh').waitFor()
  await page.locator('#old').fill(password)
  await page.locator('#fresh').fill(chosen)
  await page.locator('#again').fill(chosen)
  await page.locator('button[type=submit]').click()
  await page.locator('[data-test=total]').waitFor()
}

/** Asks the API as the page does. */
export async function ask<T>(page: Page, path: string): Promise<T> {
  return page.evaluate(async (path) => {
    const answer = await fetch(`/api/v1${path}`)
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return (await answer.json()) as unknown
  }, path) as Promise<T>
}
