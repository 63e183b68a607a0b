# vidgrep with its page. `docker build -t vidgrep .`, then, for example:
#   docker run -p 127.0.0.1:8642:8642 -v vidgrep-data:/data -v vidgrep-cache:/cache -v ~/footage:/footage:ro vidgrep
# or, with Qdrant beside it, docker compose --profile page up -d. It prints the link to open: docker logs.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json vite.config.ts ./
COPY models models
COPY src src
# Of what was built, only what runs here: no tools of the build, no runtimes of browsers and other systems. npm marks the carried
# ffmpeg as a program only with its scripts, and the user below may not.
RUN npm run build \
  && npm prune --omit=dev --ignore-scripts \
  && rm -rf node_modules/onnxruntime-web node_modules/onnxruntime-node/bin/*/darwin node_modules/onnxruntime-node/bin/*/win32 \
  && chmod 755 node_modules/@ffmpeg-installer/*/ffmpeg node_modules/@ffprobe-installer/*/ffprobe \
  && mkdir -p /volumes/data /volumes/cache

FROM node:22-bookworm-slim
# Two heaps of the C library, as the program sets it for itself elsewhere.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 XDG_DATA_HOME=/data XDG_CACHE_HOME=/cache
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY models models
COPY migrations migrations
# Collections in /data; models and pictures, which can be made or fetched again, in /cache.
COPY --from=build --chown=node:node /volumes/data /data
COPY --from=build --chown=node:node /volumes/cache /cache
VOLUME ["/data", "/cache"]
USER node
EXPOSE 8642
# Without the token it answers 401, which is a sign of life too.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8642/api/v1/health').then((answer) => process.exit(answer.status < 500 ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["serve", "--host", "0.0.0.0"]
