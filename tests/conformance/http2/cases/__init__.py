"""Every module of this package registers the cases of some sections; this is their order."""

from importlib import import_module

from registry import CASES

SECTIONS = (
    'preface', 'framing', 'states', 'streams', 'data', 'headers', 'settings', 'stream_control', 'flow_control',
    'continuation', 'messages', 'fields', 'pseudo_fields', 'connect', 'compression', 'exchanges')

for section in SECTIONS:
    import_module(f'cases.{section}')

__all__ = ['CASES']
