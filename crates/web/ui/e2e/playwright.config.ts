import { defineConfig } from '@playwright/test'

// Against a running `sharpeyes demo`: the browser of the system, nothing downloaded.
export default defineConfig({
  testDir: '.',
  outputDir: '../node_modules/.tmp/e2e',
  timeout: 420_000,
  workers: 1,
  reporter: [['list']],
  use: {
    baseURL: process.env.SHARPEYES_URL ?? 'http://127.0.0.1:8080',
    locale: 'zh-CN',
    // The page must show the county's time whatever the machine's zone.
    timezoneId: 'UTC',
    viewport: { width: 1440, height: 900 },
    actionTimeout: 20_000,
    launchOptions: {
      executablePath: process.env.SHARPEYES_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        // The map draws with WebGL; without a graphics card the browser must be told that it may do so slowly.
        '--enable-unsafe-swiftshader',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
