import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ignore from 'ignore'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { defaultPort, isLoopback } from '../src/server/access.ts'

/* No container engine ran here: what can be held without one is that the files agree with each other and the program. */

const root = join(import.meta.dirname, '..')
const text = (name: string): string => readFileSync(join(root, name), 'utf8')

const steps = text('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .map((line) => /^([A-Z]+) (.+)$/.exec(line.trim()))
  .filter((step) => step !== null)
const argumentsOf = (name: string): readonly string[] =>
  steps.filter((step) => step[1] === name).map((step) => step[2]!)

type Service = {
  readonly image?: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly ports: readonly string[]
  readonly volumes: readonly string[]
  readonly profiles?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}
const compose: { readonly services: Readonly<Record<string, Service>>; readonly volumes: object } = parse(
  text('docker-compose.yml'),
  { merge: true },
)

describe('the image', () => {
  it('is built from files that are there and sent to the builder, and from nothing else', () => {
    const left = ignore().add(text('.dockerignore'))
    const sources = argumentsOf('COPY')
      .filter((words) => !words.startsWith('--from'))
      .flatMap((words) => words.split(' ').slice(0, -1))
    expect(sources).toEqual(expect.arrayContaining(['package-lock.json', 'src', 'models', 'migrations']))
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true)
      expect(left.ignores(source), source).toBe(false)
    }
    expect(
      ['node_modules/x', 'dist/x', '.git/config', '.env', 'test/x', 'a.mp4'].filter((each) => !left.ignores(each)),
    ).toEqual([])
    // All that a user gets of the package, but for what is meant for outside of the container.
    const { files, bin } = JSON.parse(text('package.json'))
    const inside = argumentsOf('COPY').flatMap((words) => words.split(' ').slice(-1))
    const wanted = files.filter((name: string) => !['docker-compose.yml', 'CHANGELOG.md'].includes(name))
    expect(inside).toEqual(expect.arrayContaining(wanted))
    expect(JSON.parse(argumentsOf('ENTRYPOINT')[0]!)).toEqual(['node', `/app/${bin.vidgrep}`])
  })

  it('runs without root, keeps data and models on volumes, and serves where it is asked', () => {
    expect(argumentsOf('USER')).toEqual(['node'])
    const volumes: readonly string[] = JSON.parse(argumentsOf('VOLUME')[0]!)
    const environment = argumentsOf('ENV').join(' ')
    for (const variable of ['XDG_DATA_HOME', 'XDG_CACHE_HOME']) {
      expect(volumes).toContain(new RegExp(`${variable}=(\\S+)`).exec(environment)?.[1])
    }
    expect(argumentsOf('EXPOSE')).toEqual([`${defaultPort}`])
    expect(argumentsOf('HEALTHCHECK')[0]).toContain(`http://127.0.0.1:${defaultPort}/api/v1/health`)
    const [serve, option, host] = JSON.parse(argumentsOf('CMD')[0]!)
    expect([serve, option]).toEqual(['serve', '--host'])
    // Reached from outside of the container, so that it asks for a token.
    expect(isLoopback(host)).toBe(false)
  })
})

describe('docker compose', () => {
  const { page, qdrant } = compose.services as { page: Service; qdrant: Service }

  it('starts Qdrant alone unless the page is asked for', () => {
    const unasked = Object.entries(compose.services).filter(([, { profiles }]) => profiles === undefined)
    expect(unasked.map(([name]) => name)).toEqual(['qdrant'])
    expect(page.profiles).toEqual(['page'])
    expect(page.depends_on).toEqual({ qdrant: { condition: 'service_healthy' } })
  })

  it('joins the page to Qdrant, and both to this machine only', () => {
    const { hostname, port } = new URL(page.environment.QDRANT_URL!)
    expect(compose.services).toHaveProperty(hostname)
    expect(qdrant.ports.some((mapping) => mapping.endsWith(`:${port}`))).toBe(true)
    expect(page.environment.QDRANT_API_KEY).toBe(qdrant.environment.QDRANT_API_KEY)
    expect(page.ports).toEqual([`\${VIDGREP_BIND:-127.0.0.1}:${defaultPort}:${defaultPort}`])
    for (const { ports } of Object.values(compose.services)) {
      for (const mapping of ports) expect(mapping).toMatch(/^\$\{\w+:-127\.0\.0\.1\}:\d+:\d+$/)
    }
  })

  it('keeps what is written on volumes, and footage as it is', () => {
    const mounts = page.volumes.map((mount) => /^(.+?):(\/\w+)(:ro)?$/.exec(mount)!.slice(1))
    const volumes: readonly string[] = JSON.parse(argumentsOf('VOLUME')[0]!)
    for (const [from, to, readOnly] of mounts) {
      if (volumes.includes(to!)) expect(compose.volumes).toHaveProperty(from!)
      else expect(readOnly).toBe(':ro')
    }
    expect(mounts.map(([, to]) => to)).toEqual(expect.arrayContaining([...volumes, page.command.at(-1)]))
    expect(page.command.slice(0, 4)).toEqual(['serve', '--host', '0.0.0.0', '--watch'])
  })
})
