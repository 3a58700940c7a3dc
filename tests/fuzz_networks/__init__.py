"""Random networks of every kind of layer, compiled and compared with their meaning, in processes that may die.

    cd tests && python -m fuzz_networks --networks 10000 --targets native haswell x86-64 bounds

A seed makes a network, how it is compiled, and inputs; it makes the same ones everywhere. What must hold is said in
:mod:`fuzz_networks.check`: a right answer or a SparsenetError, never NaN, a crash or a hang. Every seed that fails is
printed with the command that repeats it. The suite runs a short form of it.
"""
