"""Compiles kernels for the processor that Numba is told of and prints, as JSON, which instructions came out of each.

    python assemble.py NAME...                      for NUMBA_CPU_NAME and NUMBA_CPU_FEATURES
    python assemble.py --arm apple-m1 NAME...       for an AArch64 processor; Numba compiles for x86-64 before

A kernel that refuses the target gives the first words of its error. Nothing is run.
"""

import json
import re
import sys
from collections import Counter

from llvmlite import binding

from sparsenet_kernels.machine_code import _INSTRUCTION, machine_code
from sparsenet_kernels.registry import KernelCompileError, kernels

ARM = "aarch64-unknown-linux-gnu"
BITS = "bits of the widest vector"


def instructions(kernel, arm):
    try:
        return for_arm(kernel, arm) if arm else for_x86(kernel)
    except KernelCompileError as error:
        return str(error)


def for_x86(kernel):
    code = machine_code(kernel)
    return {**code.instructions, BITS: code.vector_bits}


def for_arm(kernel, processor):
    """Have LLVM write a kernel's code for an AArch64 processor, from what it made of it for any."""
    text = kernel.compile_step(kept=False)._library.get_llvm_str()
    text = re.sub(r'^target triple = ".*"$', f'target triple = "{ARM}"', text, flags=re.MULTILINE)
    text = re.sub(r'"(target-cpu|target-features|tune-cpu)"="[^"]*"', "", text)
    machine = binding.Target.from_triple(ARM).create_target_machine(cpu=processor, opt=3, reloc="pic")
    text = re.sub(r'^target datalayout = ".*"$', f'target datalayout = "{machine.target_data}"', text, flags=re.M)
    module = binding.parse_assembly(text)
    module.verify()
    assert machine.emit_object(module)
    return dict(Counter(match[1] for match in _INSTRUCTION.finditer(machine.emit_assembly(module))))


def main(arguments):
    arm = arguments[1] if arguments[0] == "--arm" else ""
    if arm:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
    names = arguments[2:] if arm else arguments
    print(json.dumps({name: instructions(kernels()[name], arm) for name in names}))


if __name__ == "__main__":
    main(sys.argv[1:])
