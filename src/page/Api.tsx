import { render } from 'preact'
import './base.css'
import './api.css'

/* The page that shows what the API answers: the OpenAPI file, to be read. */

type Schema = {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
}
type Content = Readonly<Record<string, { readonly schema?: Schema }>>
type Operation = {
  readonly description?: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly description?: string
    readonly schema?: Schema
  }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}
type Description = {
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const Api = ({ info, paths }: Description) => (
  <main class="api">
    <h1>
      {info.title} <small>{info.version}</small>
    </h1>
    <p>
      {info.description}. <a href="/">The page</a> · <a href="/api/v1/openapi.json">openapi.json</a>
    </p>
    {Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => (
        <Route key={method + path} method={method} path={path} operation={operation} />
      )),
    )}
  </main>
)

const Route = ({ method, path, operation }: { method: string; path: string; operation: Operation }) => {
  const { description, parameters = [], requestBody, responses } = operation
  const answer = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1]
  return (
    <section>
      <h2>
        <b class={method}>{method.toUpperCase()}</b> <code>{path}</code>
      </h2>
      <p>{description}</p>
      {parameters.length > 0 ? (
        <dl>
          {parameters.map(({ name, required, schema, ...parameter }) => (
            <div key={name}>
              <dt>
                <code>{name}</code>
                {required ? ' *' : ''} <small>{typeOf(schema)}</small>
              </dt>
              <dd>
                {parameter.description ?? schema?.description}
                {schema?.default === undefined ? '' : ` (default ${JSON.stringify(schema.default)})`}
              </dd>
            </div>
          ))}
        </dl>
      ) : null}
      <Shape title="Body" content={requestBody?.content} />
      <Shape title="Answer" content={answer?.content} />
    </section>
  )
}

const Shape = ({ title, content }: { title: string; content?: Content }) => {
  const schema = content?.['application/json']?.schema
  if (!schema) return null
  return (
    <details>
      <summary>{title}</summary>
      <Fields schema={schema} />
    </details>
  )
}

const Fields = ({ schema }: { schema: Schema }) => {
  const { properties } = insideOf(schema)
  if (!properties) return <p>{typeOf(schema)}</p>
  return (
    <dl>
      {Object.entries(properties).map(([name, field]) => (
        <div key={name}>
          <dt>
            <code>{name}</code> <small>{typeOf(field)}</small>
          </dt>
          <dd>
            {field.description}
            {insideOf(field).properties ? <Fields schema={field} /> : null}
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** What an array or a nullable value is of. */
const insideOf = (schema: Schema): Schema => {
  const one = schema.items ?? (schema.anyOf ?? schema.oneOf)?.find(({ type }) => type !== 'null')
  return one ? insideOf(one) : schema
}

const typeOf = (schema: Schema | undefined): string => {
  if (!schema) return ''
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return [...new Set(choices.map(typeOf))].join(' | ')
  if (schema.type === 'array') return schema.items ? `${typeOf(schema.items)}[]` : 'array'
  return [schema.type ?? ''].flat().join(' | ')
}

const show = async (): Promise<void> => {
  const description: Description = await (await fetch('/api/v1/openapi.json')).json()
  render(<Api {...description} />, document.getElementById('app')!)
}

void show()
