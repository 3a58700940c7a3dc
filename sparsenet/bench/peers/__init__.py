"""The same networks in other engines. Whatever is installed takes part; whatever is not is named with its pip line."""

from sparsenet.bench.peers.in_onnxruntime import has_onnxruntime, in_onnxruntime
from sparsenet.bench.peers.peer import PEERS, Peer

__all__ = ["PEERS", "Peer", "has_onnxruntime", "in_onnxruntime"]
