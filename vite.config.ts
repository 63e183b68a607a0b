import preact from '@preact/preset-vite'
import { defineConfig } from 'vite'

/** The page: src/page → dist/page, from where `vidgrep serve` serves it. */
export default defineConfig({
  root: 'src/page',
  plugins: [preact()],
  build: {
    rollupOptions: { input: ['src/page/index.html', 'src/page/api.html'] },
    outDir: '../../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
