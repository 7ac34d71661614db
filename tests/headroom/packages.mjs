/** The providers' Python clients, and what they need. */
import path from 'node:path'
import { cache } from '../../scripts/lib/paths.mjs'
import { PythonPackages } from '../../scripts/lib/python-packages.mjs'

export const packages = new PythonPackages('headroom', path.join(cache, 'headroom'), 'tests/headroom/requirements.txt')
