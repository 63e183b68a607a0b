import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const packed = new URL('./reference/clip-tokenizer/tokenizer.json.gz', import.meta.url)

/** Writes CLIP's own tokenizer.json, 1.7 MB, into a folder. @returns its path */
export const unpackClipTokenizer = async (folder: string): Promise<string> => {
  const file = join(folder, 'tokenizer.json')
  await writeFile(file, gunzipSync(await readFile(packed)))
  return file
}
