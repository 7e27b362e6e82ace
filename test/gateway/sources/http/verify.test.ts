import { createHmac } from 'node:crypto'

import { describe, expect, it } from 'vitest'

import { parseTriggerName } from '#core/ids'
import { eventsOfRequest } from '#gateway/sources/http/message'
import { checkOptions, FIELDS, type HookOptions } from '#gateway/sources/http/options'
import { verify } from '#gateway/sources/http/verify'
import { parseFields } from '#gateway/sources/fields'

const NOW = 1_700_000_000_000
const NOW_S = NOW / 1000
const SECRET = 'a secret that is long'
const BODY = Buffer.from('{"id":"evt_1", "zip":"\u00e4"}\r\n')

function options(given: Partial<HookOptions>): HookOptions {
  return parseFields(FIELDS, { secrets: [SECRET], ...given }, 'source')
}

function sign(data: string | Uint8Array, encoding: 'hex' | 'base64', key: string | Buffer = SECRET): string {
  return createHmac('sha256', key).update(data).digest(encoding)
}

function check(given: Partial<HookOptions>, headers: Record<string, string>, body: Uint8Array = BODY): void {
  verify({ headers, body }, options(given), NOW)
}

const REFUSED = expect.objectContaining({ code: 'invalid-signature' })

describe('github', () => {
  const header = 'x-hub-signature-256'

  it('knows its own example', () => {
    const headers = { [header]: 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' }
    check({ verify: 'github', secrets: ["It's a Secret to Everybody"] }, headers, Buffer.from('Hello, World!'))
  })

  it.each([
    ['no header', {}],
    ['another body', { [header]: `sha256=${sign('other', 'hex')}` }],
    ['another secret', { [header]: `sha256=${sign(BODY, 'hex', 'other secret')}` }],
    ['no prefix', { [header]: sign(BODY, 'hex') }],
    ['a part of it', { [header]: `sha256=${sign(BODY, 'hex').slice(0, 32)}` }],
    ['nothing', { [header]: 'sha256=' }],
  ])('refuses %s', (_, headers) => {
    expect(() => check({ verify: 'github' }, headers)).toThrow(REFUSED)
  })

  it('takes any of several secrets', () => {
    const headers = { [header]: `sha256=${sign(BODY, 'hex')}` }
    check({ verify: 'github', secrets: ['the next secret', SECRET] }, headers)
  })
})

const signedByStripe = (time: number, secret = SECRET): string =>
  sign(Buffer.concat([Buffer.from(`${time}.`), BODY]), 'hex', secret)

describe('stripe', () => {
  it.each([
    ['one signature', `t=${NOW_S},v1=${signedByStripe(NOW_S)}`],
    ['several', `t=${NOW_S},v1=${'0'.repeat(64)},v1=${signedByStripe(NOW_S)},v0=abc`],
    ['an old one within the tolerance', `t=${NOW_S - 299},v1=${signedByStripe(NOW_S - 299)}`],
  ])('takes %s', (_, value) => {
    check({ verify: 'stripe' }, { 'stripe-signature': value })
  })

  it.each([
    ['too old', `t=${NOW_S - 301},v1=${signedByStripe(NOW_S - 301)}`],
    ['from the future', `t=${NOW_S + 301},v1=${signedByStripe(NOW_S + 301)}`],
    ['another time than was signed', `t=${NOW_S - 1},v1=${signedByStripe(NOW_S)}`],
    ['without a time', `v1=${signedByStripe(NOW_S)}`],
    ['of another scheme', `t=${NOW_S},v0=${signedByStripe(NOW_S)}`],
    ['with another secret', `t=${NOW_S},v1=${signedByStripe(NOW_S, 'another secret')}`],
  ])('refuses one %s', (_, value) => {
    expect(() => check({ verify: 'stripe' }, { 'stripe-signature': value })).toThrow(REFUSED)
  })
})

describe('standard-webhooks', () => {
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
  const secrets = [`whsec_${key.toString('base64')}`]
  const headersWith = (signature: string, time = NOW_S): Record<string, string> => ({
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(time),
    'webhook-signature': signature,
  })
  const signed = (time = NOW_S): string => sign(Buffer.concat([Buffer.from(`msg_1.${time}.`), BODY]), 'base64', key)

  it('knows the example of its specification', () => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    }
    const body = Buffer.from('{"test": 2432232314}')
    verify({ headers, body }, options({ verify: 'standard-webhooks', secrets }), 1_614_265_330_000)
  })

  it('takes any of several signatures', () => {
    check({ verify: 'standard-webhooks', secrets }, headersWith(`v1,AAAA v1a,xyz v1,${signed()}`))
  })

  it.each([
    ['too old', headersWith(`v1,${signed(NOW_S - 400)}`, NOW_S - 400)],
    ['of another version', headersWith(`v2,${signed()}`)],
    ['without an id', { ...headersWith(`v1,${signed()}`), 'webhook-id': '' }],
    ['with another id', { ...headersWith(`v1,${signed()}`), 'webhook-id': 'msg_2' }],
  ])('refuses one %s', (_, headers) => {
    expect(() => check({ verify: 'standard-webhooks', secrets }, headers)).toThrow(REFUSED)
  })
})

describe('options', () => {
  it.each(['whsec_', 'whsec_!!!!!!!!', `whsec_${'A'.repeat(20)}`])('refuses %s, which is hardly a key', (secret) => {
    const error = expect.objectContaining({ code: 'invalid-trigger', message: expect.not.stringContaining(secret) })
    expect(() => checkOptions(options({ verify: 'standard-webhooks', secrets: [secret] }))).toThrow(error)
  })

  it('takes a key of Standard Webhooks, and any other secret as it is', () => {
    const secrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'another secret']
    checkOptions(options({ verify: 'standard-webhooks', secrets }))
  })
})

describe('hmac', () => {
  it.each([
    ['hex', {}, { 'x-signature': sign(BODY, 'hex') }],
    ['base64', { encoding: 'base64', header: 'X-Shop-Hmac' }, { 'x-shop-hmac': sign(BODY, 'base64') }],
    ['a prefix', { prefix: 'v1=' }, { 'x-signature': `v1=${sign(BODY, 'hex')}` }],
  ] as const)('takes %s', (_, given, headers) => {
    check({ verify: 'hmac', ...given }, headers)
    expect(() => check({ verify: 'hmac', ...given }, headers, Buffer.from('other'))).toThrow(REFUSED)
  })

  it('never says what it had expected', () => {
    try {
      check({ verify: 'hmac' }, { 'x-signature': 'guess' })
    } catch (error) {
      expect(String(error)).not.toContain(sign(BODY, 'hex'))
    }
  })
})

describe('eventsOfRequest', () => {
  const NAME = parseTriggerName('shop')
  const events = (given: Partial<HookOptions>, headers: Record<string, string>): ReturnType<typeof eventsOfRequest> =>
    eventsOfRequest(NAME, { headers, body: BODY }, options(given))

  it('keeps the body byte for byte, and what it is', () => {
    const [received] = events({ verify: 'hmac' }, { 'content-type': 'application/json; charset=utf-8' })
    expect(received?.event.data).toBe(BODY)
    expect(received?.event.attributes).toMatchObject({
      source: '/hooks/shop',
      type: 'dev.hearth.webhook',
      datacontenttype: 'application/json; charset=utf-8',
    })
    expect(received?.key).toBeUndefined()
  })

  it.each<[Partial<HookOptions>, Record<string, string>, string]>([
    [{ verify: 'github' }, { 'x-github-delivery': 'd-1' }, 'd-1'],
    [{ verify: 'standard-webhooks' }, { 'webhook-id': 'msg_1' }, 'msg_1'],
    [{ verify: 'stripe' }, {}, 'evt_1'],
    [{ verify: 'hmac', idHeader: 'X-Delivery' }, { 'x-delivery': 'x-1' }, 'x-1'],
  ])('takes the id of the delivery as key: %j', (given, headers, id) => {
    const [received] = events(given, headers)
    expect(received).toMatchObject({ key: id, event: { attributes: { id } } })
  })

  it('says what GitHub says that it is', () => {
    const [received] = events({ verify: 'github' }, { 'x-github-event': 'pull_request' })
    expect(received?.event.attributes.type).toBe('dev.hearth.webhook.pull_request')
  })

  it('takes CloudEvents as such', () => {
    const headers = { 'ce-specversion': '1.0', 'ce-id': '7', 'ce-source': '/s', 'ce-type': 't' }
    const [received] = events({ verify: 'none' }, headers)
    expect(received).toMatchObject({ key: '/s\n7', event: { attributes: { id: '7', source: '/s', type: 't' } } })
    expect(() => events({ verify: 'none' }, { 'ce-specversion': '1.0', 'ce-id': '7' })).toThrow(
      expect.objectContaining({ code: 'invalid-event' }),
    )
  })

  it('believes no header that is not signed', () => {
    const headers = { 'ce-specversion': '1.0', 'ce-id': '7', 'ce-source': '/s', 'ce-type': 't' }
    const [received] = events({ verify: 'hmac' }, headers)
    expect(received?.event.attributes).toMatchObject({ source: '/hooks/shop', type: 'dev.hearth.webhook' })
    expect(received?.key).toBeUndefined()
  })
})
