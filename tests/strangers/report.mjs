// Opens a report in Chromium, as wide as a telephone and as a screen, in light and in dark, and says in one line of
// JSON what it asked for, what it complained of, and what of it does not fit or is not shown.

import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { chromium } from 'playwright-core'

const [executablePath, file, pictures] = process.argv.slice(2)
const html = await readFile(file)
const asked = []
const site = createServer((request, answer) => {
  asked.push(request.url)
  answer.setHeader('content-type', 'text/html; charset=utf-8').end(html)
})
await new Promise((listening) => site.listen(0, '127.0.0.1', listening))
const address = `http://127.0.0.1:${site.address().port}/report`

// As root it has no sandbox, and the page is our own.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
const complaints = []
const views = []
for (const [width, colorScheme] of [[360, 'light'], [1280, 'light'], [1280, 'dark']]) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme })
  const page = await context.newPage()
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) asked.push(request.url())
  })
  await page.goto(address)
  // What is far below is shown only when one comes near.
  for (const image of await page.locator('img').all()) await image.scrollIntoViewIfNeeded()
  views.push(await page.evaluate(async () => {
    const images = [...document.images]
    await Promise.all(images.map((image) => image.decode().catch(() => {})))
    return {
      images: images.length,
      broken: images.filter((image) => !image.naturalWidth || !image.alt).length,
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      headings: [...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1])),
    }
  }))
  if (pictures) {
    await page.evaluate(() => scrollTo(0, 0))
    await page.screenshot({ path: `${pictures}/report-${width}-${colorScheme}.png`, fullPage: true })
  }
  await context.close()
}
await browser.close()
site.close()
console.log(JSON.stringify({ asked, complaints, views }))
