import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { postgresSource } from '#gateway/sources/postgres/source'
import { makeCertificates } from '#test/brokers/certificates'
import { startPostgres, type PostgresServer } from '#test/brokers/postgres'

import { noRoom, openSource, type TestContext } from '../open-source.ts'

const WAIT = { timeout: 20_000, interval: 20 }

describe('a postgres source', () => {
  let server: PostgresServer
  let count = 0

  beforeAll(async () => {
    server = await startPostgres()
  }, 120_000)
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  async function newTable(columns = ''): Promise<string> {
    const table = `outbox_${count++}`
    await server.query(`CREATE TABLE ${table} (id bigserial PRIMARY KEY, payload text${columns && `, ${columns}`})`)
    return table
  }

  const open = (table: string, options: Readonly<Record<string, unknown>> = {}, given: Partial<TestContext> = {}) =>
    openSource(postgresSource, { url: server.url, table, pollMs: 200, ...options }, given)

  async function insert(table: string, ...payloads: readonly string[]): Promise<void> {
    await server.query(`INSERT INTO ${table} (payload) SELECT unnest($1::text[])`, [payloads])
  }

  async function idsIn(table: string): Promise<unknown[]> {
    return (await server.query(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id)
  }

  async function connect(): Promise<AsyncDisposable & Client> {
    const client = new Client({ connectionString: server.url })
    await client.connect()
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
  }

  it('deletes a row once it is taken over', async () => {
    const table = await newTable()
    await insert(table, '1', '2')
    await using opened = await open(table)
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
    await expect.poll(() => idsIn(table), WAIT).toEqual([])
    expect(opened.received.map(({ key }) => key)).toEqual([
      expect.stringMatching(/^\d+\/\d+\/1$/),
      expect.stringMatching(/^\d+\/\d+\/2$/),
    ])
  })

  it('marks a row as processed where there is a column for that, and takes it again when that is undone', async () => {
    const table = await newTable('processed_at timestamptz')
    await insert(table, '1')
    await using opened = await open(table, { processedColumn: 'processed_at' })
    const unprocessed = (): Promise<unknown> => server.query(`SELECT 1 FROM ${table} WHERE processed_at IS NULL`)
    await expect.poll(() => opened.texts, WAIT).toEqual(['1'])
    await expect.poll(unprocessed, WAIT).toEqual([])
    await server.query(`UPDATE ${table} SET processed_at = NULL`)
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '1'])
    const [first, second] = opened.received
    expect(second?.key).not.toBe(first?.key)
    expect(await idsIn(table)).toEqual(['1'])
  })

  it('takes ids of any type, types and times from their columns, and names as they are', async () => {
    await server.query('CREATE SCHEMA "Shop"')
    await server.query(
      `CREATE TABLE "Shop"."Outbox" ("Id" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "Body" jsonb,
       kind text, made timestamp DEFAULT timestamp '2026-01-02 03:04:05.678901')`,
    )
    await server.query(`INSERT INTO "Shop"."Outbox" ("Body", kind) VALUES ('{"n": 12345678901234567890}', 'paid')`)
    const options = { idColumn: 'Id', payloadColumn: 'Body', typeColumn: 'kind', timeColumn: 'made' }
    await using opened = await open('Shop.Outbox', options)
    await expect.poll(() => opened.texts, WAIT).toEqual(['{"n": 12345678901234567890}'])
    expect(opened.received[0]?.event.attributes).toEqual({
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      source: '/postgres/Shop.Outbox',
      type: 'paid',
      time: '2026-01-02T03:04:05.678901Z',
      datacontenttype: 'application/json',
    })
    await expect.poll(() => server.query('SELECT 1 FROM "Shop"."Outbox"'), WAIT).toEqual([])
  })

  it('hears of new rows by a notification', async () => {
    const table = await newTable()
    await using opened = await open(table, { channel: 'news', pollMs: 3_600_000 })
    await insert(table, '1')
    await server.query('NOTIFY news')
    await expect.poll(() => opened.texts, WAIT).toEqual(['1'])
  })

  it('takes a row that was given its id before others and was committed after them', async () => {
    const table = await newTable()
    await using slow = await connect()
    await slow.query('BEGIN')
    await slow.query(`INSERT INTO ${table} (payload) VALUES ('first')`)
    await insert(table, 'second')
    await using opened = await open(table)
    await expect.poll(() => opened.texts, WAIT).toEqual(['second'])
    await expect.poll(() => idsIn(table), WAIT).toEqual([])
    await slow.query('COMMIT')
    await expect.poll(() => opened.texts, WAIT).toEqual(['second', 'first'])
  })

  it('leaves rows alone that another worker has locked, and has those that it holds locked', async () => {
    const table = await newTable()
    await insert(table, '1', '2', '3')
    await using other = await connect()
    const lock = (where: string): Promise<{ rowCount: number | null }> =>
      other.query(`SELECT FROM ${table} WHERE ${where} FOR UPDATE SKIP LOCKED`)
    await other.query('BEGIN')
    await lock('id = 1')
    await using opened = await open(table, {}, { prefetch: 1, accept: noRoom })
    await expect.poll(() => opened.texts, WAIT).toEqual(['2'])
    expect(await lock('true')).toMatchObject({ rowCount: 2 })
    await other.query('ROLLBACK')
  })

  it('still has them locked after its transactions have changed', { timeout: 60_000 }, async () => {
    const table = await newTable()
    await insert(table, '1')
    await using opened = await open(table, { pollMs: 3_600_000 }, { accept: noRoom })
    await expect.poll(() => opened.texts, WAIT).toEqual(['1'])
    const began = async (): Promise<unknown> =>
      (await server.query(`SELECT xact_start FROM pg_stat_activity WHERE query LIKE '%${table}%SKIP LOCKED'`))[0]
        ?.xact_start
    const before = await began()
    await expect.poll(began, { timeout: 30_000, interval: 500 }).not.toEqual(before)
    expect(await server.query(`SELECT 1 FROM ${table} FOR UPDATE SKIP LOCKED`)).toEqual([])
    expect(opened.texts).toEqual(['1'])
  })

  it('holds no more rows than it has room for, and leaves those it held to the next', async () => {
    const table = await newTable('made timestamptz DEFAULT now()')
    await insert(table, '1', '2', '3')
    {
      await using opened = await open(table, { timeColumn: 'made' }, { prefetch: 2, accept: noRoom })
      await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
      expect(await opened.source.lag?.()).toEqual({ events: 3, ms: expect.any(Number) })
    }
    await using opened = await open(table, { timeColumn: 'made' })
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2', '3'])
    await expect.poll(() => opened.source.lag?.(), WAIT).toEqual({ events: 0, ms: 0 })
  })

  it('removes what was taken over before it closes', async () => {
    const table = await newTable()
    await insert(table, '1', '2')
    const taken = Promise.withResolvers<void>()
    const opened = await open(table, { pollMs: 3_600_000 }, { accept: () => taken.promise })
    await expect.poll(() => opened.texts, WAIT).toEqual(['1', '2'])
    taken.resolve()
    await opened[Symbol.asyncDispose]()
    expect(await idsIn(table)).toEqual([])
  })

  it('without a table gets the notifications of its channel, as many at a time as it has room for', async () => {
    const gates: PromiseWithResolvers<void>[] = []
    const accept = (): Promise<void> => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      return gate.promise
    }
    await using opened = await open('', { channel: 'bare' }, { prefetch: 1, accept })
    await server.query(`NOTIFY bare, '{"n":1}'`)
    await expect.poll(() => opened.texts, WAIT).toEqual(['{"n":1}'])
    await server.query(`NOTIFY bare, '{"n":2}'`)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(opened.texts).toHaveLength(1)
    gates[0]?.resolve()
    await expect.poll(() => opened.texts, WAIT).toEqual(['{"n":1}', '{"n":2}'])
    expect(opened.received[0]).not.toHaveProperty('key')
  })

  it.each([
    ['no_such_table', {}, 'relation "no_such_table" does not exist'],
    ['pg_class', {}, 'column o.id does not exist'],
  ])('says what is wrong with %s', async (table, options, reason) => {
    await expect(open(table, options)).rejects.toThrow(reason)
  })

  it('says so when it may not remove rows', async () => {
    const table = await newTable()
    await server.query(`CREATE ROLE reader LOGIN; GRANT SELECT, UPDATE ON ${table} TO reader`)
    const url = server.url.replace('//postgres@', '//reader@')
    await expect(open(table, { url })).rejects.toThrow(`permission denied for table ${table}`)
  })

  it('ends when the server ends its session', async () => {
    const table = await newTable()
    await using opened = await open(table, {}, { trigger: 'doomed' })
    await server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hearth doomed'`,
    )
    await expect(opened.source.ended).rejects.toThrow(/^the connection to PostgreSQL is lost: terminating connection/)
  })

  it('comes in with a password, and says so when it is wrong', async () => {
    const table = await newTable()
    await server.query(`CREATE ROLE guarded SUPERUSER LOGIN PASSWORD 'let me in'`)
    const url = (password: string): string => server.url.replace('//postgres@', `//guarded:${password}@`)
    await using _opened = await open(table, { url: url('let%20me%20in') })
    const refused = open(table, { url: url('wrong-one') })
    await expect(refused).rejects.toThrow(/(?!.*wrong-one).*password authentication failed for user "guarded"/)
  })

  it('connects over TLS, to a server whose certificate is right unless that does not matter', async () => {
    await using certificates = await makeCertificates()
    await using secure = await startPostgres(certificates.server)
    await secure.query('CREATE TABLE t (id int PRIMARY KEY, payload text)')
    const url = (mode: string): string => `${secure.url}?sslmode=${mode}`
    await using _trusted = await open('t', { url: url('require'), ...(await certificates.fields(false)) })
    await using _unchecked = await open('t', { url: url('no-verify') })
    const sessions = 'SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)'
    expect(await secure.query(`${sessions} WHERE application_name LIKE 'hearth %'`)).toEqual([{ ssl: true }])
    await expect(open('t', { url: url('require') })).rejects.toThrow(/certificate/)
  })

  it('says where nobody answers, and that TLS is not there, without the password', async () => {
    await expect(open('t', { url: 'postgres://ada:secret@127.0.0.1:1/x' })).rejects.toThrow(
      /^cannot connect to PostgreSQL at 127\.0\.0\.1:1: (?!.*secret).*ECONNREFUSED/,
    )
    const { host } = new URL(server.url)
    await expect(open('t', { url: `postgres://ada:secret@${host}/x?sslmode=require` })).rejects.toThrow(
      /^cannot connect to PostgreSQL at (?!.*secret).*SSL/,
    )
  })
})
