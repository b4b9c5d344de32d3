"""The Docker Engine API's JSON, version 1.41, to and from the nouns: pure functions, one module a subject.

Shapes are those of https://docs.docker.com/engine/api/v1.41/.
"""
