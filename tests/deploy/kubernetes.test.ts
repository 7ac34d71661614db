// The manifests: valid for the API server, in step with each other, and with what the program really answers.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { inRoot } from '../../scripts/lib/paths.mjs'
import { canRun } from '../support/tools.ts'
import { Gateway, isBuiltHere } from './gateway.ts'
import { packages } from './packages.mjs'

/** From the first whose kubelet knows `preStop.sleep` unasked, to the newest with schemas. */
const VERSIONS = '1.30,1.33,1.37'
const FOLDER = inRoot('deploy', 'kubernetes')
/** Read by kustomize and by the chart of prometheus-adapter, which no schema of Kubernetes knows. */
const OF_OTHERS = ['kustomization.yaml', 'prometheus-adapter.yaml']
const files = readdirSync(FOLDER).filter((file) => !OF_OTHERS.includes(file))

// biome-ignore lint/suspicious/noExplicitAny: whether it has the right form is what is tested.
type Manifest = any

interface Checked {
  documents: Manifest[]
  problems: string[]
}

const env = { ...process.env, PYTHONPATH: packages.folder, PYTHONDONTWRITEBYTECODE: '1' }
const hasPython = canRun('python3', '--version')
if (hasPython && !packages.arePresent()) throw new Error('the schemas are missing: run `npm run setup`')
const without = '(skipped without Python)'
const canStart = hasPython && isBuiltHere
const withoutEither = '(skipped without Python, and but on Linux)'

function check(paths: string[], versions = VERSIONS): Checked {
  const program = inRoot('tests', 'deploy', 'manifests.py')
  const options = { env, encoding: 'utf8', maxBuffer: 1 << 24 } as const
  const { status, stdout, stderr } = spawnSync('python3', [program, versions, ...paths], options)
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

const inFolder = (file: string) => path.join(FOLDER, file)
const none: Checked = { documents: [], problems: [] }
const checked = hasPython ? check(files.map(inFolder)) : none
const [kustomization, adapter] = (hasPython ? check(OF_OTHERS.map(inFolder), 'none') : none).documents

const find = (kind: string, name: string): Manifest =>
  checked.documents.find((it) => it.kind === kind && it.metadata.name === name)
const pod = () => find('Deployment', 'cmux-proxy').spec.template.spec
const container = () => pod().containers[0]
const portOf = (name: string): number => container().ports.find((port: Manifest) => port.name === name)?.containerPort
const flag = (name: string): string => {
  const [given] = container().args.filter((argument: string) => argument.startsWith(`--${name}=`))
  return given.slice(name.length + 3)
}

test.skipIf(!hasPython)(`the schemas take all of them ${without}`, () => {
  expect(checked.problems).toEqual([])
  expect(checked.documents.map((it) => it.kind)).toContain('HorizontalPodAutoscaler')
  expect([...kustomization.resources, 'example-workspace.yaml'].sort()).toEqual(files.sort())
})

test.skipIf(!hasPython)(`the schemas refuse what is misspelt, missing or of another type ${without}`, () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'manifests-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const good = readFileSync(path.join(FOLDER, 'deployment.yaml'), 'utf8')
  for (const bad of [
    good.replace('readinessProbe', 'readynessProbe'),
    good.replace('periodSeconds: 1\n', 'periodSeconds: soon\n'),
    good.replace('        - name: cmux-proxy\n          image', '        - image'),
  ]) {
    expect(bad).not.toBe(good)
    const file = path.join(folder, 'deployment.yaml')
    writeFileSync(file, bad)
    expect.soft(check([file]).problems).toHaveLength(VERSIONS.split(',').length)
  }
})

test.skipIf(!hasPython)(`everything that selects pods of the gateway finds them ${without}`, () => {
  const { labels } = find('Deployment', 'cmux-proxy').spec.template.metadata
  const policy = find('NetworkPolicy', 'cmux-proxy').spec
  const admitted = find('NetworkPolicy', 'only-the-gateway').spec.ingress[0].from[0]
  for (const selector of [
    find('Deployment', 'cmux-proxy').spec.selector.matchLabels,
    find('Service', 'cmux-proxy').spec.selector,
    find('PodDisruptionBudget', 'cmux-proxy').spec.selector.matchLabels,
    policy.podSelector.matchLabels,
    admitted.podSelector.matchLabels,
    pod().topologySpreadConstraints[0].labelSelector.matchLabels,
  ]) {
    expect.soft(labels).toMatchObject(selector)
    expect.soft(Object.keys(selector)).not.toHaveLength(0)
  }
  const namespaces = checked.documents.filter((it) => it.kind === 'Namespace').map((it) => it.metadata.name)
  expect(namespaces).toEqual([find('Deployment', 'cmux-proxy').metadata.namespace, 'workspaces'])
  expect(admitted.namespaceSelector.matchLabels).toEqual({ 'kubernetes.io/metadata.name': namespaces[0] })
  const admittedPorts = policy.ingress.flatMap((rule: Manifest) => rule.ports).map((it: Manifest) => portOf(it.port))
  expect(admittedPorts).toEqual([39379, 39380])
})

test.skipIf(!hasPython)(`there are two or more, which end in the time that they are given ${without}`, () => {
  const { scaleTargetRef, minReplicas } = find('HorizontalPodAutoscaler', 'cmux-proxy').spec
  expect(find(scaleTargetRef.kind, scaleTargetRef.name).spec.replicas).toBeUndefined()
  expect(minReplicas).toBeGreaterThanOrEqual(2)
  expect(find('PodDisruptionBudget', 'cmux-proxy').spec.minAvailable).toBeLessThan(minReplicas)
  const inFlight = Number.parseInt(flag('graceful-shutdown-timeout'), 10)
  const before = container().lifecycle.preStop.sleep.seconds
  expect(pod().terminationGracePeriodSeconds).toBeGreaterThan(before + inFlight)
})

test.skipIf(!hasPython)(`what the template makes of the example's name is its Service ${without}`, () => {
  const { name, namespace } = find('Service', 'workspace-1').metadata
  const host = flag('workspace-host').replace('{workspace}', name)
  expect(host).toBe(`${name}.${namespace}.svc.cluster.local.`)
  const { spec } = find('StatefulSet', 'workspace-1')
  expect(spec.serviceName).toBe(name)
  expect(spec.template.metadata.labels).toEqual(find('Service', 'workspace-1').spec.selector)
  expect(find('Service', 'workspace-1').spec.clusterIP).toBe('None')
})

/** Starts what the Deployment starts, but on free ports, and with a token from a file of the test's own. */
async function start(): Promise<Gateway> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'token-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const [mount] = container().volumeMounts
  const { secret } = pod().volumes.find((it: Manifest) => it.name === mount.name)
  const file = path.join(mount.mountPath, secret.items[0].path)
  expect(flag('auth-token-file')).toBe(file)
  writeFileSync(path.join(folder, 'token'), 'a-token')
  const args = container().args.map((argument: string) =>
    argument.replace(/:\d+$/, ':0').replace(file, path.join(folder, 'token')),
  )
  return Gateway.start(args)
}

test.skipIf(!canStart)(`the probes, the Service and Prometheus ask where it answers ${withoutEither}`, async () => {
  const gateway = await start()
  const { annotations } = find('Deployment', 'cmux-proxy').spec.template.metadata
  expect(flag('listen')).toBe(`0.0.0.0:${portOf(find('Service', 'cmux-proxy').spec.ports[0].targetPort)}`)
  expect(flag('admin')).toBe(`0.0.0.0:${annotations['prometheus.io/port']}`)
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    const { port, path: asked } = container()[probe].httpGet
    expect.soft(flag('admin'), probe).toBe(`0.0.0.0:${portOf(port)}`)
    expect.soft(await gateway.get('admin', asked), probe).toMatchObject({ status: 200 })
  }
  expect(await gateway.get('admin', annotations['prometheus.io/path'])).toMatchObject({ status: 200 })
  expect(await gateway.get('listening', '/')).toMatchObject({ status: 407 })
  const named = { 'proxy-authorization': 'Bearer a-token', 'x-cmux-port-internal': '1' }
  const anywhere = await gateway.get('listening', '/', named)
  expect(anywhere.body).toContain('missing required header: X-Cmux-Workspace-Internal')
})

test.skipIf(!canStart)(`what it is scaled by is what it exports ${withoutEither}`, async () => {
  const gateway = await start()
  const { body } = await gateway.get('admin', '/metrics')
  const { metrics } = find('HorizontalPodAutoscaler', 'cmux-proxy').spec
  const names = metrics.filter((it: Manifest) => it.type === 'Pods').map((it: Manifest) => it.pods.metric.name)
  expect(names).toHaveLength(2)
  const [rule] = adapter.rules.custom
  const [, pattern = ''] = /__name__=~"([^"]+)"/.exec(rule.seriesQuery) ?? []
  for (const name of names) {
    expect.soft(body).toContain(`# TYPE ${name} gauge\n`)
    expect.soft(body).toMatch(new RegExp(`^${name} \\d+$`, 'm'))
    expect.soft(name).toMatch(new RegExp(pattern))
    expect.soft(name.replace(new RegExp(rule.name.matches), rule.name.as)).toBe(name)
  }
  expect(metrics.some((it: Manifest) => it.resource?.name === 'cpu')).toBe(true)
  expect(container().resources.requests.cpu).toBeTruthy()
})
