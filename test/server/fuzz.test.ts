import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import PQueue from 'p-queue'
import { expect, it } from 'vitest'
import { type Answer, ask, askJson, makeFootage, startServer } from './serving.ts'

type Schema = {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
}
type Parameter = { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: Schema }
type Operation = {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> }
}
type Asked = { readonly method: string; readonly path: string; readonly body?: string }

const requests = 1000
const secret = 'what no request may read'

/** Requests as the OpenAPI file describes them, right and wrong, and with what breaks carelessly made servers. */
const requestsFor = (
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>,
  known: readonly string[],
) => {
  const hostile = fc.constantFrom(
    ...known,
    ...['', ' ', '0', '-1', '1e999', 'NaN', 'null', '\0', '%', '%00', '..', '../../../../etc/passwd', '/etc/passwd'],
    ...['<script>alert(1)</script>', "' OR 1=1 --", '"a" > ', '"a" - "b" * 0', '"'.repeat(50), '*'.repeat(80)],
    ...['a'.repeat(2000), '𝒳\u202E', '[object Object]', '{"a":1}', '__proto__', '1970-01-01', '99999-99-99'],
  )
  const number = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.double(), fc.constantFrom(-1, 1e308, 7.5)).map(String)
  const textFor = (schema: Schema): fc.Arbitrary<string> => {
    if (schema.enum) return fc.oneof(fc.constantFrom(...schema.enum.map(String)), hostile)
    if (schema.anyOf) return textFor(schema.anyOf[0]!)
    if (schema.type === 'number' || schema.type === 'integer')
      return fc.oneof({ weight: 4, arbitrary: number }, hostile)
    return fc.oneof(hostile, fc.string({ unit: 'binary' }), fc.string())
  }
  const json = (schema: Schema): fc.Arbitrary<unknown> => {
    if (schema.properties) {
      return fc.record(Object.fromEntries(Object.entries(schema.properties).map(([key, each]) => [key, json(each)])), {
        requiredKeys: [],
      })
    }
    if (schema.type === 'array') return fc.array(json(schema.items ?? {}), { maxLength: 3 })
    return fc.oneof(textFor(schema), fc.double(), fc.constant(null))
  }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const asked = ({ path, method, operation }: (typeof operations)[number]): fc.Arbitrary<Asked> => {
    const { parameters = [], requestBody } = operation
    const values = fc.record(Object.fromEntries(parameters.map(({ name, schema }) => [name, textFor(schema)])), {
      requiredKeys: parameters.filter((each) => each.in === 'path' || each.required).map(({ name }) => name),
    })
    const schema = requestBody?.content['application/json']?.schema
    return fc
      .tuple(values, schema ? fc.oneof(json(schema), fc.jsonValue()) : fc.constant(undefined))
      .map(([given, body]) => {
        const query = new URLSearchParams(
          parameters
            .filter(({ name, in: place }) => place === 'query' && given[name] !== undefined)
            .map(({ name }): [string, string] => [name, given[name]!]),
        )
        const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(wellFormed(given[name]!)))
        return {
          method: method.toUpperCase(),
          path: `${filled}?${query}`,
          body: body === undefined ? undefined : JSON.stringify(body),
        }
      })
  }
  // What is sent as long as its client stays is tested by itself.
  return fc.oneof(...operations.filter(({ path }) => !path.endsWith('/events')).map(asked))
}

/** A lone half of a character cannot be encoded. */
const wellFormed = (text: string): string => Buffer.from(text).toString()

it('answers a thousand requests of all kinds without a fault of its own, and with no foreign file', async () => {
  const { folder, store } = await makeFootage()
  const hidden = join(folder, 'secret.txt')
  await writeFile(hidden, secret)
  const server = await startServer({ store })
  const { paths } = await askJson(server, '/api/v1/openapi.json')
  const [{ video }] = await askJson(server, '/api/v1/videos')
  const known = [video, `${video}@5`, `${video}@5@0,0,0.5,0.5`, '2.jpg', '5.25.jpg', hidden, `..${hidden}`, 'vidgrep']
  const asked = fc.sample(requestsFor(paths, known), { seed: 20, numRuns: requests })
  const answers: (Answer & { readonly asked: Asked })[] = []
  const queue = new PQueue({ concurrency: 8 })
  await queue.addAll(
    asked.map((each) => async () => {
      const headers: Record<string, string> = each.body === undefined ? {} : { 'content-type': 'application/json' }
      answers.push({ ...(await ask(server, each.path, headers, each)), asked: each })
    }),
  )
  const faults = answers.filter(({ status }) => status >= 500)
  expect(faults.map(({ asked, body }) => `${asked.method} ${asked.path} ${asked.body}: ${body}`)).toEqual([])
  const leaks = answers.filter(({ body }) => body.includes(secret) || body.includes('root:x:0'))
  expect(leaks.map(({ asked }) => asked.path)).toEqual([])
  // It did not only ask for nonsense.
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(requests / 20)
  expect(answers.length).toBe(requests)
})
