import { closeSync, openSync, readSync, statSync } from 'node:fs'

/** What has to be known of a graph before it is loaded. */
export type OnnxFile = {
  /** Files that hold weights outside of the graph, relative to the graph's folder, with forward slashes. */
  readonly weights: readonly string[]
  readonly outputs: readonly OnnxOutput[]
}

/** `undefined` in the shape where a length is not fixed. */
export type OnnxOutput = { readonly name: string; readonly shape: readonly (number | undefined)[] }

/** What exports call the embedding, where a graph gives more than that: what was projected comes first. */
export const embeddingNames = [
  ...['image_embeds', 'text_embeds', 'image_embedding', 'text_embedding', 'embedding', 'pooler_output'],
]

/**
 * Reads the few parts of an ONNX file that say where its weights are and what it gives; the weights in it are passed over.
 * Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 *
 * @returns nothing at all for a file that is not ONNX: the runtime says what is wrong with it
 */
export const readOnnx = (file: string): OnnxFile => {
  const descriptor = openSync(file, 'r')
  try {
    const whole = { from: 0, to: statSync(file).size }
    const reader = openReader(descriptor)
    const graphs = reader.messages(whole, 7)
    const tensors = graphs.flatMap((graph) => reader.messages(graph, 5))
    const entries = tensors.flatMap((tensor) => reader.messages(tensor, 13))
    const locations = entries
      .filter((entry) => reader.text(entry, 1) === 'location')
      .map((entry) => reader.text(entry, 2).replaceAll('\\', '/'))
    const outputs = graphs.flatMap((graph) => reader.messages(graph, 12)).map((output) => readOutput(reader, output))
    return { weights: [...new Set(locations)], outputs }
  } catch (error) {
    if (error instanceof NotProtobufError) return { weights: [], outputs: [] }
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** @returns numbers in an embedding, `undefined` if the graph does not fix it */
export const dimensionOf = ({ outputs }: OnnxFile): number | undefined => {
  const usual = embeddingNames.map((name) => outputs.find((output) => output.name === name)).find(Boolean)
  return (usual ?? (outputs.length === 1 ? outputs[0] : undefined))?.shape.at(-1)
}

class NotProtobufError extends Error {}

/** A stretch of the file. */
type Part = { readonly from: number; readonly to: number }

type Reader = ReturnType<typeof openReader>

const readOutput = (reader: Reader, output: Part): OnnxOutput => {
  const tensors = reader.messages(output, 2).flatMap((type) => reader.messages(type, 1))
  const shapes = tensors.flatMap((tensor) => reader.messages(tensor, 2))
  const shape = shapes.flatMap((each) => reader.messages(each, 1)).map((length) => reader.numbers(length, 1)[0])
  return { name: reader.text(output, 1), shape }
}

/** Bytes read at once: between two weights there are some hundred. */
const windowBytes = 16 * 1024

const openReader = (descriptor: number) => {
  const window = Buffer.alloc(windowBytes)
  let [start, length] = [0, 0]
  const byte = (at: number): number => {
    if (at < start || at >= start + length) {
      start = at
      length = readSync(descriptor, window, 0, windowBytes, at)
      if (length === 0) throw new NotProtobufError()
    }
    return window[at - start]!
  }
  const varint = (from: number): { value: number; to: number } => {
    let value = 0
    for (let at = from, factor = 1; at < from + 10; at++, factor *= 128) {
      const next = byte(at)
      value += (next & 127) * factor
      if (next < 128) return { value, to: at + 1 }
    }
    throw new NotProtobufError()
  }
  /** Each field as its number and its value, or the stretch that holds it. */
  function* fields({ from, to }: Part): Generator<{ field: number; value: number; part: Part | undefined }> {
    for (let at = from; at < to; ) {
      const tag = varint(at)
      const field = Math.floor(tag.value / 8)
      const wire = tag.value % 8
      if (wire === 0) {
        const { value, to } = varint(tag.to)
        yield { field, value, part: undefined }
        at = to
      } else if (wire === 2) {
        const size = varint(tag.to)
        at = size.to + size.value
        if (at > to) throw new NotProtobufError()
        yield { field, value: 0, part: { from: size.to, to: at } }
      } else if (wire === 1 || wire === 5) {
        at = tag.to + (wire === 1 ? 8 : 4)
      } else {
        throw new NotProtobufError()
      }
    }
  }
  return {
    messages: (part: Part, wanted: number): Part[] =>
      [...fields(part)].flatMap(({ field, part }) => (field === wanted && part ? [part] : [])),
    numbers: (part: Part, wanted: number): number[] =>
      [...fields(part)].flatMap(({ field, value, part }) => (field === wanted && !part ? [value] : [])),
    text: (part: Part, wanted: number): string => {
      const found = [...fields(part)].find(({ field, part }) => field === wanted && part)?.part
      if (!found) return ''
      const bytes = Buffer.alloc(found.to - found.from)
      readSync(descriptor, bytes, 0, bytes.length, found.from)
      return bytes.toString('utf8')
    },
  }
}
