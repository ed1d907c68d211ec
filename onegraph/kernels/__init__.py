"""Kernels: the loop-nest form, vector math and the micro-kernel, written as LLVM IR."""
