import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelFile, Pullable } from './manifest.ts'

/** Which of a tower's files to use; `fp32` is what the others are measured against. */
export type Precision = {
  /** @default 'fp32' */
  readonly image?: 'fp32' | 'fp16'
  /** @default 'fp32' */
  readonly text?: 'fp32' | 'fp16' | 'int8'
}

/** Paths of the towers' files in the precision that is wanted; a tower that does not come in it stays fp32. */
export const towerFiles = ({ image, text }: Pullable, precision: Precision = {}): { image: string; text: string } => ({
  image: variant(image, precision.image),
  text: variant(text, precision.text),
})

type Variants = {
  readonly file: string
  readonly variants?: Partial<Record<'fp16' | 'int8', string | undefined>>
}

const variant = (tower: Variants, precision: 'fp32' | 'fp16' | 'int8' = 'fp32'): string =>
  (precision === 'fp32' ? undefined : tower.variants?.[precision]) ?? tower.file

/** The files that a model needs in the precision that is wanted, out of all that the manifest lists. */
export const neededFiles = (entry: Pullable, precision: Precision = {}): readonly ModelFile[] => {
  const { image, text } = towerFiles(entry, precision)
  const towers = [entry.image, entry.text].flatMap(({ file, variants = {} }: Variants) => [
    file,
    ...Object.values(variants),
  ])
  return entry.files.filter(({ path }) => path === image || path === text || !towers.includes(path))
}

export type FileState = { readonly bytes: number | undefined; readonly right: boolean }

/** By size alone; where none is known, being there and not empty is enough. */
export const fileState = async (folder: string, file: { path: string; bytes?: number | null }): Promise<FileState> => {
  const found = await stat(join(folder, file.path)).catch(() => undefined)
  if (!found?.isFile()) return { bytes: undefined, right: false }
  return { bytes: found.size, right: file.bytes == null ? found.size > 0 : found.size === file.bytes }
}
