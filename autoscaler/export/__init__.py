"""The same pools for other machines: Kubernetes manifests with KEDA, and a Swarm stack file.

Pure: settings in, documents out. What an environment variable or a broker's address may hold of secrets is only named, never
written; what the other side cannot do is said in words beside the documents.
"""
