#!/usr/bin/env bash
# Checks encoding on a GPU: doctor, index and search on each device, and its embeddings against the CPU's.
#
#   npm run build && bench/gpu.sh [MODEL] [VIDEO] [DEVICE…]
#
# MODEL is a name or a folder (default: clip-vit-b-32, else the starter where that is not on disk), VIDEO a file or folder
# (default: test/clips/street.mp4); the devices are cuda and webgpu. Where node is not installed, it is taken from npm's
# package "node"; where CUDA's part of the runtime is missing, it is fetched as docs/gpu.md says. Prints a line for each
# check, keeps everything in bench/results/gpu.log, and ends with 1 if a device cannot be used or differs from the CPU.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/node/bin:$PATH"
command -v node >/dev/null || npm install --no-save node@22 || exit 1
vidgrep=(env MALLOC_ARENA_MAX=2 node dist/cli/main.js)
model=${1:-clip-vit-b-32}
"${vidgrep[@]}" models path "$model" >/dev/null 2>&1 && [ ! -d "$("${vidgrep[@]}" models path "$model")" ] && model=starter
video=${2:-test/clips/street.mp4}
devices=("${@:3}")
[ ${#devices[@]} -gt 0 ] || devices=(cuda webgpu)

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
mkdir -p bench/results
log=bench/results/gpu.log
{ date -u; node --version; nvidia-smi -L 2>&1; } >"$log"

runtime=node_modules/onnxruntime-node/bin/napi-v6/linux/x64
if [[ " ${devices[*]} " == *" cuda "* && ! -e $runtime/libonnxruntime_providers_cuda.so ]]; then
  ONNXRUNTIME_NODE_INSTALL=true npm rebuild onnxruntime-node >>"$log" 2>&1 || echo "CUDA's part of the runtime could not be fetched"
fi

failed=0
check() { # NAME COMMAND…
  local name=$1 started=$SECONDS status=0
  shift
  printf '\n== %s\n' "$name" >>"$log"
  "$@" >"$home/out" 2>&1 || status=1
  cat "$home/out" >>"$log"
  if [ $status = 0 ]; then echo "ok   $name, $((SECONDS - started)) s"; else echo "BAD  $name: see $log"; fi
  failed=$((failed | status))
  return $status
}

index() { "${vidgrep[@]}" index "$video" --no-reuse --json --model "$model" --device "$1" --store "$home/$1" -q; }
search() { "${vidgrep[@]}" search 'a red car' --json --model "$model" --device "$1" --store "$home/$1"; }
figures() { node -e 'const { totals: t } = JSON.parse(fs.readFileSync(0)); console.log(`     ${t.encoded} patches, ${(t.encoded / t.seconds).toFixed(1)} a second, on ${t.device}`)' <"$home/out"; }
# The same pictures and texts on both: a rounding apart in full precision, a little more in half precision.
compare() {
  node --input-type=module -e '
    const [name, device] = process.argv.slice(1)
    const { loadModel } = await import(process.cwd() + "/dist/models/load.js")
    const { openEncoder } = await import(process.cwd() + "/dist/encoder/encoder.js")
    const model = await loadModel(name)
    const count = 32
    const pixels = Uint8Array.from({ length: count * 3 * model.image.size ** 2 }, (_, i) => (i * (31 + (i >> 17)) + (i >> 9)) % 251)
    const embed = async (device) => {
      const encoder = await openEncoder(model, { device })
      const rows = [...(await encoder.encodePictures(pixels)), ...(await encoder.encodeTexts(["a red car", "two dogs"]))]
      await encoder.close()
      return rows
    }
    const [cpu, gpu] = [await embed("cpu"), await embed(device)]
    const least = Math.min(...cpu.map((row, i) => row.reduce((sum, x, j) => sum + x * gpu[i][j], 0)))
    console.log(`least cosine to the CPU over ${cpu.length} embeddings: ${least.toFixed(6)}`)
    if (!(least > 0.999)) process.exit(1)
  ' "$model" "$1"
}

check 'index on cpu' index cpu && figures
for device in "${devices[@]}"; do
  check "doctor on $device" "${vidgrep[@]}" doctor --model "$model" --device "$device" --store "$home/none"
  check "index on $device" index "$device" && figures
  check "search on $device" search "$device"
  check "embeddings of $device" compare "$device" && echo "     $(tail -n 1 "$home/out")"
done
exit $failed
