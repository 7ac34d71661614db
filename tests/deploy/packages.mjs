/** The Python packages that check what is in deploy/: the schemas of Kubernetes, and hadolint. */
import path from 'node:path'
import { cache } from '../../scripts/lib/paths.mjs'
import { PythonPackages } from '../../scripts/lib/python-packages.mjs'

export const packages = new PythonPackages('deploy', path.join(cache, 'deploy'), 'tests/deploy/requirements.txt')
