import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici'

/** How to reach the hub. The token goes to it alone: a redirect to another host drops it. */
export type Connection = {
  readonly dispatcher: Dispatcher
  readonly headers: Readonly<Record<string, string>>
  close(): Promise<void>
}

/** A server that sends nothing for this long, in milliseconds, counts as gone. */
const silence = 60_000

/**
 * Through the proxy that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name.
 *
 * @param trusted whether the host may see the token in `HF_TOKEN`
 */
export const connect = (trusted: boolean, environment = process.env): Connection => {
  const options = { bodyTimeout: silence, headersTimeout: silence }
  const proxied = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].some((name) => environment[name])
  const dispatcher = proxied ? new EnvHttpProxyAgent(options) : new Agent(options)
  const token = trusted ? environment.HF_TOKEN : undefined
  return {
    dispatcher,
    // Sizes and ranges are those of the files only where nothing is compressed on the way.
    headers: { 'accept-encoding': 'identity', ...(token && { authorization: `Bearer ${token}` }) },
    close: () => dispatcher.close(),
  }
}
