// The offline verifier page in a real browser: node verifier.mjs PAGE PACKAGE ALTERED. Prints one JSON line of verdicts.
// Each package is judged twice: with the browser's Ed25519 and with the page's own, for browsers that have none.
import { readFileSync } from 'node:fs'
import { chromium } from '@playwright/test'

const [verifier, good, altered] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: process.env.SHARPEYES_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
})
const said = {}
const asked = []
for (const own of [false, true]) {
  const page = await browser.newPage()
  page.on('request', (request) => asked.push(request.url()))
  await page.addInitScript(`window.forceOwnEd25519 = ${own}`)
  await page.goto(`file://${verifier}`)
  for (const [name, file] of Object.entries({ good, altered })) {
    await page.setInputFiles('#file', file)
    await page.waitForFunction(() => document.getElementById('verdict').className !== 'wait', null, { timeout: 30_000 })
    said[`${name}${own ? ' own' : ''}`] = `${await page.innerText('#verdict')} ${await page.innerText('#facts')}`
    await page.evaluate(() => (document.getElementById('verdict').className = 'wait'))
  }
  await page.fill('#expected', 'ab'.repeat(32))
  await page.setInputFiles('#file', good)
  await page.waitForFunction(() => document.getElementById('verdict').className === 'bad', null, { timeout: 30_000 })
  // The second example of RFC 8032 §7.1, and that nothing else passes for it.
  said[`vectors ${own}`] = await page.evaluate(async () => {
    const key = fromHex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    const signature = fromHex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    )
    const answers = [await ed25519(key, fromHex('72'), signature), await ed25519(key, fromHex('73'), signature)]
    for (const at of [0, 31, 32, 63]) {
      const bad = signature.slice()
      bad[at] ^= 1
      answers.push(await ed25519(key, fromHex('72'), bad))
    }
    return answers.join()
  })
  await page.close()
}
// One bit in each of many bytes, all over the package: the page itself judges each.
const page = await browser.newPage()
await page.goto(`file://${verifier}`)
said.flipped = await page.evaluate(async (text) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
  const authentic = async () => {
    try {
      return (await verify(new Blob([bytes]), () => {})).faults.length === 0
    } catch (error) {
      if (!(error instanceof Altered)) throw error
      return false
    }
  }
  if (!(await authentic())) return 'the package itself is not authentic'
  const passed = []
  const step = Math.max(1, Math.floor(bytes.length / 1500))
  let tried = 0
  for (let at = 0; at < bytes.length; at += at < 400 || at > bytes.length - 400 ? 1 : step) {
    bytes[at] ^= 1 << (at % 8)
    tried++
    if (await authentic()) passed.push(at)
    bytes[at] ^= 1 << (at % 8)
  }
  return { tried, passed }
}, readFileSync(good).toString('base64'))
await page.close()
said.asked = asked.filter((url) => !url.startsWith('file:') && !url.startsWith('blob:'))
console.log(JSON.stringify(said))
await browser.close()
