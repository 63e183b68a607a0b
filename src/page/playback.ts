import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { detailsOf, whyAway } from './api.ts'
import { kept } from './kept.ts'
import { type Opened, videosByFingerprint } from './state.ts'

/** How much of a file that the browser cannot play is made playable at once: from where it is wanted, as it cannot be sought in before it is all there. */
export const previewSeconds = 60

/** The file itself; a stretch of it made over for the browser; a picture, where neither plays; or why there is nothing. */
type Source =
  | { readonly kind: 'file' }
  | { readonly kind: 'preview'; readonly from: number }
  | { readonly kind: 'picture' }
  | { readonly kind: 'gone'; readonly message: string; readonly remedy: string }

/** Times are rounded on their way here: a frame's own time, a little short, would show the frame before it. */
const roundingSeconds = 0.001

const usualFrameRate = 25

/** From 0 to 1. Every video is as loud as the one before. */
const volume = kept('volume', 1)
const isMuted = kept('muted', false)

/** Older browsers only say how far they are, some times a second. */
const tellsFrames = 'requestVideoFrameCallback' in HTMLVideoElement.prototype

/** Plays the video of a moment, from the second that is to be shown, with frames told apart. */
export const usePlayback = (moment: Opened) => {
  const element = useRef<HTMLVideoElement>(null)
  const [source, setSource] = useState<Source>({ kind: 'file' })
  const [now, setNow] = useState(moment.at ?? moment.t)
  const [isPlaying, setPlaying] = useState(false)
  const frameRate = useFrameRate(moment.video)
  const known = videosByFingerprint.value.get(moment.video)?.durationSeconds
  const [fileSeconds, setFileSeconds] = useState(0)
  // What is known of the video is how long its picture lasts, which may begin late in the file.
  const duration = Math.max(known ?? 0, fileSeconds, moment.to)
  /** Where the element's own time begins in the video. */
  const offset = source.kind === 'preview' ? source.from : 0
  /** When the frame begins that is shown, or is about to be. */
  const shown = useRef(now)

  /** @param at when a frame begins, in seconds of the video @param within where in the frame to land */
  const seekTo = (at: number, within = roundingSeconds): void => {
    const seconds = Math.max(0, duration > 0 ? Math.min(at, duration) : at)
    const isOutside = source.kind === 'preview' && (seconds < source.from || seconds >= source.from + previewSeconds)
    if (isOutside) setSource({ kind: 'preview', from: seconds })
    else if (element.current && element.current.readyState > 0) element.current.currentTime = seconds + within - offset
    shown.current = seconds
    setNow(seconds)
  }
  /** @param frames by how many, back if negative */
  const step = async (frames: number): Promise<void> => {
    element.current?.pause()
    const seconds = 1 / ((await frameRate) ?? usualFrameRate)
    // Into its middle, as frames do not begin exactly where their rate has them.
    seekTo(shown.current + frames * seconds, seconds / 2)
  }
  const toggle = (): void => {
    const video = element.current
    if (video) void (video.paused ? video.play().catch(() => {}) : video.pause())
  }

  useEffect(() => seekTo(moment.at ?? moment.t), [moment])
  useEffect(() => {
    setSource({ kind: 'file' })
    setFileSeconds(0)
  }, [moment.video])
  useEffect(() => {
    const video = element.current
    if (!video || !tellsFrames) return
    let request = 0
    const onFrame: VideoFrameRequestCallback = (_, { mediaTime }) => {
      shown.current = mediaTime + offset
      // While it plays, a few times a second are enough for the eye: see onTimeUpdate.
      if (video.paused) setNow(shown.current)
      request = video.requestVideoFrameCallback(onFrame)
    }
    request = video.requestVideoFrameCallback(onFrame)
    return () => video.cancelVideoFrameCallback(request)
  }, [moment.video, source.kind, offset])

  const doesNotPlay = async (): Promise<void> => {
    const away = await whyAway(moment.video)
    if (away) setSource({ kind: 'gone', message: away.message, remedy: away.remedy })
    else if (source.kind === 'file') setSource({ kind: 'preview', from: now })
    else setSource({ kind: 'picture' })
  }

  return {
    element,
    source,
    offset,
    now,
    duration,
    isPlaying,
    /** From 0 to 1. */
    volume: isMuted.value ? 0 : volume.value,
    at: () => shown.current,
    seekTo,
    step,
    toggle,
    mute: () => {
      if (element.current) element.current.muted = !isMuted.value
    },
    setVolume: (to: number) => {
      if (element.current) Object.assign(element.current, { volume: to, muted: to === 0 })
    },
    /** Of the video element. */
    events: {
      onLoadedMetadata: () => {
        const seconds = element.current?.duration ?? 0
        if (source.kind === 'file' && Number.isFinite(seconds)) setFileSeconds(seconds)
        if (element.current) Object.assign(element.current, { volume: volume.value, muted: isMuted.value })
        seekTo(now)
      },
      onTimeUpdate: () => {
        if (!tellsFrames && element.current) shown.current = element.current.currentTime + offset
        setNow(shown.current)
      },
      onPlay: () => setPlaying(true),
      onPause: () => setPlaying(false),
      onVolumeChange: () => {
        if (!element.current) return
        isMuted.value = element.current.muted
        if (element.current.volume > 0) volume.value = element.current.volume
      },
      onError: () => void doesNotPlay(),
    },
  }
}

/** Frames a second, as the server says once the file was looked into. */
const useFrameRate = (video: string): Promise<number | null> =>
  useMemo(
    () =>
      detailsOf(video).then(
        (details) => details.frameRate,
        () => null,
      ),
    [video],
  )
