"""Vectors as ordinary Numba values.

Inside a kernel a vector of 16 float32 (``f32x16``) or 16 int32 (``i32x16``) is a value like any other: it is loaded,
combined and stored by the functions of :mod:`sparsenet_kernels.simd.ops`; 64 bytes (``u8x64``, ``i8x64``) by those of
:mod:`sparsenet_kernels.simd.bytes`; 32 int16 (``i16x32``) by those of :mod:`sparsenet_kernels.simd.shorts`. A
:mod:`tile <sparsenet_kernels.simd.tile>` is a block of such vectors that stays in registers. LLVM turns each into what
the processor has: one 512-bit register, two of 256 bits, four of 128.
"""
