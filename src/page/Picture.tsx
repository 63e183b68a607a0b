import { useEffect, useState } from 'preact/hooks'
import { frameUrl, roughFrameUrl } from './api.ts'
import { type Box, isWhole } from './format.ts'
import { density, videosByFingerprint } from './state.ts'

type PictureProps = {
  readonly video: string
  readonly seconds: number
  /** What to outline; `undefined`: nothing. */
  readonly box?: Box
  /** Seconds that a frame may be away from there, where it has to come at once. */
  readonly within?: number
  /** Pictures side by side in the place of one. */
  readonly beside?: number
}

const wide = 16 / 9

/** A frame with its patch outlined. Alone it is shown whole; beside others, as much as fits around its patch. */
export const Picture = ({ video, seconds, box, within, beside = 1 }: PictureProps) => {
  const [isBroken, setBroken] = useState(false)
  const src =
    within === undefined
      ? frameUrl(video, seconds, density.value > 340 ? 640 : 320)
      : roughFrameUrl(video, seconds, within)
  useEffect(() => setBroken(false), [src])
  const { width, height } = videosByFingerprint.value.get(video) ?? {}
  const fit = fitted(width && height ? width / height : wide, wide / beside, box ?? whole, beside > 1)
  const isOutlined = box && !isWhole(box) && !isBroken
  return (
    <span class="picture" style={{ aspectRatio: `${16 / beside} / 9` }}>
      {isBroken ? (
        <span class="broken">The file cannot be shown</span>
      ) : (
        <img
          src={src}
          alt=""
          loading="lazy"
          decoding="async"
          style={beside > 1 ? { objectFit: 'cover', objectPosition: fit.position } : {}}
          onError={() => setBroken(true)}
        />
      )}
      {isOutlined ? <span class="box" style={fit.outline} /> : null}
    </span>
  )
}

const whole: Box = [0, 0, 1, 1]

/**
 * Where a picture and its box lie in a cell.
 * @param ratio width by height of the picture
 * @param cell width by height of the cell
 * @param isCut whether the picture fills the cell and is cut, with the box as far in the middle as that goes
 */
const fitted = (ratio: number, cell: number, [x, y, w, h]: Box, isCut: boolean) => {
  // Sides of the picture in those of the cell.
  const isWider = ratio >= cell
  const [width, height] = isWider === isCut ? [ratio / cell, 1] : [1, cell / ratio]
  const start = (size: number, middle: number): number =>
    size > 1 ? Math.max(1 - size, Math.min(0, 0.5 - middle * size)) : (1 - size) / 2
  const [left, top] = [start(width, x + w / 2), start(height, y + h / 2)]
  const share = (at: number, size: number): string => percent(size === 1 ? 0.5 : at / (1 - size))
  return {
    position: `${share(left, width)} ${share(top, height)}`,
    outline: {
      left: percent(left + x * width),
      top: percent(top + y * height),
      width: percent(w * width),
      height: percent(h * height),
    },
  }
}

const percent = (value: number): string => `${(100 * value).toFixed(2)}%`
