import { render } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Help, Marks } from './Dialogs.tsx'
import { Grid } from './Grid.tsx'
import { Home, Message } from './Home.tsx'
import { handleKey } from './keys.ts'
import { Player } from './Player.tsx'
import { SearchBar } from './SearchBar.tsx'
import { begin, failure, moments, playing, search } from './state.ts'
import './style.css'

const App = () => {
  const hasWords = search.value.q.trim() !== ''
  const bar = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => handleKey(event, bar.current)
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
  return (
    <>
      <SearchBar input={bar} />
      <main class={playing.value ? 'split' : ''}>
        <section class="results" aria-label={hasWords ? 'Moments found' : 'Videos'}>
          {failure.value ? <Message failure={failure.value} /> : null}
          {hasWords ? moments.value.length > 0 || !failure.value ? <Grid /> : null : <Home />}
        </section>
        {playing.value ? <Player moment={playing.value} /> : null}
      </main>
      <Marks />
      <Help />
    </>
  )
}

begin()
render(<App />, document.getElementById('app')!)
