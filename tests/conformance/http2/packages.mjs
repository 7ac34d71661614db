/** The Python packages that the wire cases use. */
import path from 'node:path'
import { PythonPackages } from '../../../scripts/lib/python-packages.mjs'
import { conformanceCache } from '../python.mjs'

export const packages = new PythonPackages(
  'http2',
  path.join(conformanceCache, 'http2'),
  'tests/conformance/http2/requirements.txt',
)
