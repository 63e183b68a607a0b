import { type ApiError, roughFrameUrl, type Video } from './api.ts'
import { clock, plural } from './format.ts'
import { Icon } from './Icon.tsx'
import { isIndexingOpen } from './panels.ts'
import { playing, recent, startOver, videos } from './state.ts'

const examples = ['a red car', 'two people at a table', 'a dog', 'hands writing', 'a street at night']

/** The first page: what was searched before, and every video of the collection. */
export const Home = () => {
  const all = videos.value
  if (all === undefined) return <p class="message">Loading …</p>
  if (all.length === 0) {
    return (
      <div class="message">
        <h2>Nothing is indexed yet</h2>
        <p>
          In a terminal: <code>vidgrep index FOLDER</code>. The videos appear here while it runs.
        </p>
        <AddVideos />
      </div>
    )
  }
  const seconds = all.reduce((sum, { durationSeconds }) => sum + (durationSeconds ?? 0), 0)
  return (
    <>
      <Queries
        title={recent.value.length > 0 ? 'Searched before' : 'Try'}
        queries={recent.value.length > 0 ? recent.value : examples}
      />
      <div class="heading">
        <h2>
          {plural(all.length, 'video')}, {clock(seconds)}
        </h2>
        <AddVideos />
      </div>
      <ol class="grid wall">
        {all.map((video) => (
          <VideoCard key={video.video} video={video} />
        ))}
      </ol>
    </>
  )
}

const AddVideos = () => (
  <button
    type="button"
    onClick={() => {
      isIndexingOpen.value = true
    }}
  >
    <Icon name="folder" /> Index videos
  </button>
)

const Queries = ({ title, queries }: { title: string; queries: readonly string[] }) => (
  <div class="chips">
    <span>{title}</span>
    {queries.map((query) => (
      <button key={query} type="button" class="query" onClick={() => startOver({ q: query })}>
        {query}
      </button>
    ))}
  </div>
)

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })

const VideoCard = ({ video }: { video: Video }) => {
  const { durationSeconds, name, status, reason, recordedAt, indexedAt } = video
  const when = recordedAt ?? indexedAt
  const open = () => {
    playing.value = {
      rank: 1,
      video: video.video,
      path: video.paths[0] ?? name,
      t: 0,
      from: 0,
      to: 0,
      score: 0,
      likelihood: null,
      likely: true,
      patch: 0,
      box: [0, 0, 1, 1],
      hits: 0,
    }
  }
  return (
    <li class="card">
      <button
        type="button"
        class="open"
        onClick={open}
        aria-label={`Play ${name}${durationSeconds === null ? '' : `, ${clock(durationSeconds)}`}`}
      >
        <span class="picture" style={{ aspectRatio: '16 / 9' }}>
          <img
            src={roughFrameUrl(video.video, Math.min(60, (durationSeconds ?? 0) / 3), 10)}
            alt=""
            loading="lazy"
            decoding="async"
          />
        </span>
        {durationSeconds === null ? null : <span class="time">{clock(durationSeconds)}</span>}
      </button>
      <div class="caption">
        <span class="name" title={video.paths.join('\n')}>
          {name}
        </span>
        <time dateTime={when} title={recordedAt === null ? 'Indexed' : 'Recorded'}>
          {day.format(new Date(when))}
        </time>
        {status === 'complete' ? null : (
          <span class="status" title={reason ?? ''}>
            {status}
          </span>
        )}
      </div>
    </li>
  )
}

export const Message = ({ failure }: { failure: ApiError }) => (
  <div class="message error" role="alert">
    <h2>{failure.message}</h2>
    <p>{failure.remedy}</p>
  </div>
)
