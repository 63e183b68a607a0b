import { Tensor } from 'onnxruntime-node'
import type { TextTower } from '../../models/model.ts'
import type { Device } from '../../settings.ts'
import type { Rows, TextNotes } from '../channel.ts'
import { graphOf, outputName, type TextInput, textInput } from './graph.ts'
import type { DeviceSettings } from './imageTower.ts'
import { openOnDevice, type Placed } from './onDevice.ts'
import { openPrepared, prepareOnce } from './prepared.ts'
import { openSession, type Tower, type TowerSettings } from './session.ts'
import { rowsOf, stack } from './tensors.ts'
import { openTokenizer, type Tokenize } from './tokenizer.ts'

export type RunTexts = (texts: readonly string[]) => Promise<Rows & { readonly notes: readonly TextNotes[] }>

/**
 * Loads the text tower and its tokenizer. Where no device was named it runs on the CPU: a query is one short text, which
 * is done there before a GPU has started.
 */
export const openTextTower = async (
  tower: TextTower,
  { device, threads, preparation }: DeviceSettings,
): Promise<Placed<RunTexts>> => {
  const { file } = tower
  const ways = textWays(tower, preparation?.folder)
  return openOnDevice({
    candidates: [device === 'auto' ? 'cpu' : device] satisfies Device[],
    threads,
    fileFor: () => file,
    openOnCpu: preparation && (() => openPrepared(toPrepare(tower, threads, ways), preparation)),
    ...ways,
  })
}

/** Makes sure that the text tower is prepared, without opening it. */
export const prepareTextTower = async (
  tower: TextTower,
  { device, threads, preparation }: DeviceSettings,
): Promise<void> => {
  const isForCpu = device === 'auto' || device === 'cpu'
  if (preparation && isForCpu)
    await prepareOnce(toPrepare(tower, threads, textWays(tower, preparation.folder)), preparation)
}

const toPrepare = (tower: TextTower, threads: number | undefined, ways: ReturnType<typeof textWays>) => ({
  tower: { text: tower },
  settings: { device: 'cpu', threads } as const,
  opensUnpacked: true,
  ...ways,
})

/** How the tower is opened from a file, and tried. @param preparedFolder as of {@link openTokenizer} */
export const textWays = (tower: TextTower, preparedFolder: string | undefined) => {
  let tokenize: Promise<Tokenize> | undefined
  return {
    open: async (file: string, settings: TowerSettings) => {
      tokenize ??= openTokenizer(tower, preparedFolder)
      return load({ ...tower, file }, await tokenize, settings)
    },
    trial: (run: RunTexts) => run(['a red car']),
  }
}

/** Texts that come before a session is opened whose weights are packed: a search asks for one, a server for many. */
const unpackedTexts = 4

/**
 * Texts run one by one, each at its own length where the model allows it, and so always with the same result whatever
 * else is asked.
 */
const load = async (tower: TextTower, tokenize: Tokenize, settings: TowerSettings): Promise<Tower<RunTexts>> => {
  let { isUnpacked } = settings
  let session = await openSession(tower.file, settings)
  let count = 0
  const feed = feeder(tower, textInput(graphOf(session), tower))
  const output = outputName(graphOf(session), tower.output)
  return {
    run: async (texts) => {
      const parts: Rows[] = []
      const notes: TextNotes[] = []
      for (const text of texts) {
        if (isUnpacked && count++ >= unpackedTexts) {
          const packed = await openSession(tower.file, { ...settings, isUnpacked: false })
          await session.release()
          session = packed
          isUnpacked = false
        }
        const { ids, truncated, unknown } = tokenize(text)
        notes.push({ truncated, unknown })
        parts.push(rowsOf((await session.run(feed(ids), [output]))[output], 1))
      }
      return { ...stack(parts), notes }
    },
    endProfile: () => session.endProfiling(),
    release: () => session.release(),
  }
}

/** @throws if the graph wants a length, and nothing says what to fill a text up with */
const feeder = (tower: TextTower, input: TextInput): ((ids: readonly number[]) => Record<string, Tensor>) => {
  const { padding, maxTokens } = tower
  if (input.fixedLength !== undefined && padding === undefined) {
    throw new Error(`Expected the description to give text.padding, as the graph takes ${input.fixedLength} tokens`)
  }
  const least = input.fixedLength ?? (padding === undefined ? 0 : maxTokens)
  return (ids) => {
    const length = Math.max(ids.length, least)
    const row = (value: (i: number) => number) => tensorOf(input, length, value)
    return {
      [input.ids]: row((i) => ids[i] ?? padding!),
      ...(input.mask && { [input.mask]: row((i) => (i < ids.length ? 1 : 0)) }),
      ...(input.segments && { [input.segments]: row(() => 0) }),
    }
  }
}

const tensorOf = ({ type, dims }: TextInput, length: number, value: (i: number) => number): Tensor =>
  type === 'int64'
    ? new Tensor(
        type,
        BigInt64Array.from({ length }, (_, i) => BigInt(value(i))),
        dims(length),
      )
    : new Tensor(
        type,
        Int32Array.from({ length }, (_, i) => value(i)),
        dims(length),
      )
