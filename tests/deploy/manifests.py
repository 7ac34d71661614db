"""Checks Kubernetes manifests strictly against the schemas of each version, and prints what is in them, as JSON.

manifests.py VERSION[,VERSION...] FILE...   with `none` for a version, they are only printed
"""

import json
import sys

import kubernetes_validate
import yaml

versions, files = sys.argv[1].split(","), sys.argv[2:]
if versions == ["none"]:
    versions = []
documents, problems = [], []
for file in files:
    with open(file, encoding="utf-8") as text:
        for document in yaml.safe_load_all(text):
            documents.append(document)
            for version in versions:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    problems.append(f"{file}, {version}: {error.message}")
                except kubernetes_validate.SchemaNotFoundError as error:
                    problems.append(f"{file}, {version}: {error}")
json.dump({"documents": documents, "problems": problems}, sys.stdout)
