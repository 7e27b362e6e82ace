import { startPostgres } from '#test/brokers/postgres'

import { describeEventSource } from './event-source.ts'

describeEventSource({
  kind: 'postgres',
  keyed: true,
  skip: [],
  async start() {
    const server = await startPostgres()
    return {
      async options(test) {
        const table = test.replaceAll('-', '_')
        await server.query(
          `CREATE TABLE ${table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text NOT NULL)`,
        )
        return { url: server.url, table, channel: table }
      },
      async publish({ table }, texts) {
        const name = String(table)
        await server.query(`INSERT INTO ${name} (payload) SELECT unnest($1::text[])`, [texts])
        await server.query(`SELECT pg_notify($1, '')`, [name])
      },
      left: async ({ table }) => Number((await server.query(`SELECT count(*) FROM ${String(table)}`))[0]?.count),
      restart: () => server.restart(),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  },
})
