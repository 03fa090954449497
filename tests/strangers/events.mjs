// Follows a job by its signed link, as a client does that cannot send a token: with `node` as argument by the
// package `eventsource`, with `browser` in Chromium, in a page of another origin. Each line of standard input is
// what to do, each line of standard output what was seen, both JSON.

import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

const say = (seen) => process.stdout.write(JSON.stringify(seen) + '\n')
const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

// Runs in the page, too, so it knows of nothing outside.
const follow = (EventSource, url, say) => {
  const source = new EventSource(url)
  source.onopen = () => say({ seen: 'open' })
  source.onmessage = ({ lastEventId, data }) => say({ seen: 'job', id: lastEventId, status: JSON.parse(data).status })
  source.onerror = () => say({ seen: source.readyState === EventSource.CLOSED ? 'closed' : 'lost' })
}

async function node() {
  const { EventSource } = await import('eventsource')
  say({ seen: 'ready' })
  const { url } = JSON.parse((await told.next()).value)
  follow(EventSource, url, say)
}

async function browser(executablePath) {
  const { chromium } = await import('playwright-core')
  // As root it has no sandbox, and the pages are our own.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!DOCTYPE html><title>Page</title>'))
  await new Promise((listening) => site.listen(0, '127.0.0.1', listening))
  const { port } = site.address()
  const open = async (origin) => {
    const page = await browser.newPage()
    await page.exposeFunction('say', say)
    await page.goto(origin)
    return page
  }
  const page = await open(`http://127.0.0.1:${port}`)
  say({ seen: 'ready', origin: `http://127.0.0.1:${port}` })
  for (;;) {
    const { value, done } = await told.next()
    if (done) break
    const { what, url, token } = JSON.parse(value)
    if (what === 'follow') {
      await page.evaluate(`(${follow})(EventSource, ${JSON.stringify(url)}, say)`)
    } else if (what === 'follow-from-elsewhere') {
      const elsewhere = await open(`http://localhost:${port}`)
      await elsewhere.evaluate(`(${follow})(EventSource, ${JSON.stringify(url)}, say)`)
    } else if (what === 'show') {
      const seen = await page.evaluate((url) => new Promise((seen) => {
        const image = new Image()
        image.onload = () => seen({ seen: 'picture', width: image.naturalWidth, height: image.naturalHeight })
        image.onerror = () => seen({ seen: 'no picture' })
        image.src = url
        document.body.append(image)
      }), url)
      say(seen)
    } else if (what === 'fetch') {
      const status = await page.evaluate(async ([url, token]) => {
        const answer = await fetch(url, { headers: { authorization: `Bearer ${token}`, 'idempotency-key': 'a' } })
        return [answer.status, answer.headers.get('x-request-id') !== null]
      }, [url, token])
      say({ seen: 'answer', status: status[0], has_id: status[1] })
    }
  }
  await browser.close()
  site.close()
}

const [mode, executablePath] = process.argv.slice(2)
await (mode === 'browser' ? browser(executablePath) : node())
