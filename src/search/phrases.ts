import type { Hit, Sighting, Store } from '../store/store.ts'
import { type FoundTogether, momentsIn, type Rule, readFrames, scoreTogether } from './frames.ts'
import { hitsPerMoment, type MomentSearch } from './moments.ts'
import { reachSeconds, scoreOf } from './surroundings.ts'

export type PhraseSearch = Pick<MomentSearch, 'leastScore' | 'filter' | 'signal'> & {
  readonly store: Pick<Store, 'sightings' | 'points'>
  /** Most moments wanted. */
  readonly n: number
  /** In their order in time. */
  readonly rules: readonly Rule[]
  /** Most seconds from one step to the next. */
  readonly withinSeconds: number
}

/** Videos are looked at in tiles of so many seconds, each with what lies around it. */
const tileSeconds = 30

/** Tiles that are looked at at most: so many for each moment wanted, and some more. */
const tilesPerMoment = 6
const moreTiles = 24

/** Tiles looked at at once: one call of the store for each phrase. */
const atOnce = 8

/** Hits that are asked for of each phrase at first, and at most. */
const firstHits = 200
const mostHits = 16_000

/**
 * Finds the moments where phrases are seen together, without others, or one after the other.
 *
 * The best hits of each phrase say which tiles of which videos to look at, and how well a moment there can fit at best:
 * what is not among the hits of a phrase is no better than the last of them. Tiles are looked at best first, all their
 * frames with all phrases, until n moments stand that no other tile can beat, or 6·n + 24 tiles were looked at.
 *
 * Source: the threshold algorithm, Fagin, Lotem, Naor, "Optimal aggregation algorithms for middleware" (2001).
 *
 * @returns best first
 */
export const findPhrases = async (search: PhraseSearch): Promise<readonly FoundTogether[]> => {
  const { n, leastScore = Number.NEGATIVE_INFINITY, signal } = search
  const looked = new Set<string>()
  const found: FoundTogether<Sighting>[] = []
  const mostTiles = n * tilesPerMoment + moreTiles
  const isEnough = (boundScore: number) => found.filter(({ peak }) => scoreOf(peak) >= boundScore).length >= n
  for (let limit = Math.max(firstHits, n * hitsPerMoment); ; limit *= 4) {
    const { tiles, isAll, restScore } = await candidates(search, limit)
    const waiting = tiles.filter(({ key, boundScore }) => !looked.has(key) && boundScore >= leastScore)
    while (waiting.length > 0 && looked.size < mostTiles && !isEnough(waiting[0]!.boundScore)) {
      signal?.throwIfAborted()
      const next = waiting.splice(0, Math.min(atOnce, mostTiles - looked.size))
      const frames = await readFrames(
        next.map((tile) => around(tile, search)),
        search,
      )
      for (const [i, tile] of next.entries()) {
        looked.add(tile.key)
        found.push(...momentsIn(tile, frames[i]!, search, found))
      }
    }
    if (isAll || isEnough(Math.max(restScore, leastScore)) || looked.size >= mostTiles || limit >= mostHits) break
  }
  const best = found
    .filter(({ peak }) => scoreOf(peak) >= leastScore)
    .sort((a, b) => b.peak.similarity - a.peak.similarity)
  return withPoints(best.slice(0, n), search)
}

/** Moments of which something was removed meanwhile are left out. */
const withPoints = async (
  moments: readonly FoundTogether<Sighting>[],
  { store, signal }: Pick<PhraseSearch, 'store' | 'signal'>,
): Promise<readonly FoundTogether[]> => {
  const ids = moments.flatMap(({ parts }) => parts.map(({ hit }) => hit.id))
  const points = await store.points([...new Set(ids)], { signal })
  const whole = (sighting: Sighting): Hit => ({ ...points.get(sighting.id)!, ...sighting })
  return moments
    .filter(({ parts }) => parts.every(({ hit }) => points.has(hit.id)))
    .map((moment) => ({
      ...moment,
      peak: whole(moment.peak),
      parts: moment.parts.map((part) => ({ ...part, hit: whole(part.hit) })),
    }))
}

type Tile = {
  readonly key: string
  readonly video: string
  readonly from: number
  readonly to: number
  /** No moment that ends in the tile scores more. */
  readonly boundScore: number
}

/** What a moment of the tile may reach into, within the bounds of the filter. */
const around = ({ video, from, to }: Tile, { rules, withinSeconds, filter }: PhraseSearch) => {
  const reached = 2 * reachSeconds
  return {
    video,
    from: Math.max(
      from - reached - withinSeconds * (rules.length - 1),
      filter?.afterSeconds ?? Number.NEGATIVE_INFINITY,
    ),
    to: Math.min(to + reached, filter?.beforeSeconds ?? Number.POSITIVE_INFINITY),
  }
}

/** The best hits of a phrase, and what the others score at most. */
type List = { readonly hits: readonly Sighting[]; readonly floorScore: number }

type Candidates = {
  /** Best bound first. */
  readonly tiles: readonly Tile[]
  /** There are no other hits. */
  readonly isAll: boolean
  /** What moments in other tiles score at most. */
  readonly restScore: number
}

const candidates = async (search: PhraseSearch, limit: number): Promise<Candidates> => {
  const { store, rules, withinSeconds, filter, signal } = search
  const listOf = async (vector: Float32Array): Promise<List> => {
    const hits = await store.sightings(vector, { limit, filter, signal })
    return { hits, floorScore: hits.length < limit ? Number.NEGATIVE_INFINITY : scoreOf(hits.at(-1)!) }
  }
  const lists = await Promise.all(
    rules.map(({ wanted, together }) =>
      Promise.all([...wanted.map(({ vector }) => vector), ...(together ? [together] : [])].map(listOf)),
    ),
  )
  const bound = (scoresOf: (list: List, step: number) => number) =>
    rules.reduce(
      (sum, rule, i) =>
        sum +
        scoreTogether(
          rule,
          lists[i]!.map((list) => scoresOf(list, i)),
        ),
      0,
    ) / rules.length
  const earlierSeconds = (step: number) => withinSeconds * (rules.length - 1 - step)

  const tiles = new Map<string, Tile>()
  for (const [step, each] of lists.entries()) {
    for (const { video, t, until } of each.flatMap(({ hits }) => hits)) {
      const last = Math.floor((Math.min(until, t + tileSeconds) + earlierSeconds(step)) / tileSeconds)
      for (let number = Math.floor(t / tileSeconds); number <= last; number++) {
        const key = `${video}/${number}`
        if (tiles.has(key)) continue
        const [from, to] = [number * tileSeconds, (number + 1) * tileSeconds]
        const boundScore = bound(({ hits, floorScore }, step) => {
          const best = hits.find((hit) => hit.video === video && hit.t < to && hit.until >= from - earlierSeconds(step))
          return best ? scoreOf(best) : floorScore
        })
        tiles.set(key, { key, video, from, to, boundScore })
      }
    }
  }
  return {
    tiles: [...tiles.values()].sort((a, b) => b.boundScore - a.boundScore),
    isAll: lists.flat().every(({ floorScore }) => floorScore === Number.NEGATIVE_INFINITY),
    restScore: bound(({ floorScore }) => floorScore),
  }
}
