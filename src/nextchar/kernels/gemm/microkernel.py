"""Micro-kernel: one tile of a matrix product, held in vector registers.

    C[rows × vectors·VL] (+)= A[rows × K] · B[K × vectors·VL]

    for k:  load `vectors` vectors of row k of B
            for each row r:  broadcast A[r, k], multiply and add into the sums of row r

                       B: K rows of `vectors` vectors, one after the other
                       ┌────────┬────────┬────────┐
                       │ B[k,0] │ B[k,1] │ B[k,2] │  row k
                       └────────┴────────┴────────┘
    A[r, k], broadcast ┌────────┬────────┬────────┐
      at a + r·a_row   │ sums of row r, one vector│  rows × vectors registers
           + k·a_step  │ register for each column │  of sums
                       └────────┴────────┴────────┘

A may lie anywhere: element (r, k) is at a + r·a_row + k·a_step, so the same kernel reads a matrix
and its transpose. B is packed: row k is at b + k·vectors·VL. Rows of C are `c_row` apart and whole
vectors wide. Addresses are in bytes, distances in elements.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nextchar.kernels.isa import HOST

# the tile: MR rows by NR_VECTORS vectors (the field's NR counts numbers, not vectors)
MR, NR_VECTORS = HOST.tile_rows, HOST.tile_vectors
_I64 = ir.IntType(64)


def _const(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)


@intrinsic
def tile(context, rows, vectors, number, a, a_row, a_step, b, c, c_row, K, add):
    """Compute one tile.

    rows ≤ MR, vectors ≤ NR_VECTORS: size of the tile.
    number: a number of the type of B: float32, float64, or uint32 for pairs of bfloat16 along k.
    With pairs, K counts pairs and C is float32; A holds pairs too where the CPU multiplies them,
    otherwise float32.
    a, b, c: addresses. a_row, a_step, c_row: distances. K: the inner size.
    add: add the product to C instead of overwriting C.
    """
    # rows, vectors, number; the seven from a to K; add
    signature = types.void(types.intp, types.intp, number, *[types.intp] * 7, types.boolean)
    kind = _Tile
    if number == types.uint32:
        kind = _Pairs if HOST.has_bfloat16 else _Widened
    bits = number.bitwidth  # a pair is as wide as a float32

    def generate(codegen, builder, sig, args):
        rows, vectors, _, *operands = args
        # a size known at compile time keeps the sums in registers: one block of code per size
        done = builder.append_basic_block("done")
        # a different number for each (rows, vectors)
        code = builder.add(builder.mul(rows, _const(NR_VECTORS + 1)), vectors)
        switch = builder.switch(code, done)
        for r in range(1, MR + 1):
            for v in range(1, NR_VECTORS + 1):
                block = builder.append_basic_block(f"tile_{r}_{v}")
                switch.add_case(_const(r * (NR_VECTORS + 1) + v), block)
                builder.position_at_end(block)
                kind(builder, r, v, bits).emit(*operands)
                builder.branch(done)
        builder.position_at_end(done)
        return codegen.get_dummy_value()

    return signature, generate


@intrinsic
def vector_length_of(context, array):
    """Numbers of an array in a vector: a constant when the kernel is compiled."""
    bits = array.dtype.bitwidth

    def generate(codegen, builder, signature, args):
        return _const(HOST.vector_bytes * 8 // bits)

    return types.intp(array), generate


class _Tile:
    """Writer of the instructions of one tile size."""

    def __init__(self, builder: Any, rows: int, vectors: int, bits: int) -> None:
        self.builder, self.rows, self.vectors = builder, rows, vectors
        self.size = bits // 8  # bytes of a number
        self.length = HOST.vector_bytes // self.size
        self.scalar = ir.DoubleType() if bits == 64 else ir.FloatType()
        self.vector = ir.VectorType(self.scalar, self.length)
        self.operand, self.operands = self.scalar, self.vector  # what A and B hold

    def emit(
        self, a: Any, a_row: Any, a_step: Any, b: Any, c: Any, c_row: Any, K: Any, add: Any
    ) -> None:
        """Write the loop over k, then the stores to C."""
        builder = self.builder
        grid = [(r, v) for r in range(self.rows) for v in range(self.vectors)]
        # pointers to the vectors of C: rows are c_row apart
        c_at = {
            (r, v): self._pointer(
                c, builder.add(builder.mul(c_row, _const(r)), _const(v * self.length)), self.vector
            )
            for r, v in grid
        }
        # LLVM promotes these stack slots to registers: their addresses are not used otherwise
        sums = {place: cgutils.alloca_once(builder, self.vector) for place in grid}
        for place in grid:
            builder.store(ir.Constant(self.vector, [0.0] * self.length), sums[place])
        # the loop over k: everything but A and B stays in registers
        a_rows = [builder.mul(a_row, _const(r)) for r in range(self.rows)]
        with cgutils.for_range(builder, K) as loop:
            self._multiply_row(loop.index, a, a_rows, a_step, b, sums)
        # C is read only where the product is added to it
        with builder.if_then(add):
            for place in grid:
                before = builder.load(c_at[place], align=self.size)
                builder.store(builder.fadd(before, builder.load(sums[place])), sums[place])
        for place in grid:
            builder.store(builder.load(sums[place]), c_at[place]).align = self.size

    def _multiply_row(
        self, k: Any, a: Any, a_rows: list[Any], a_step: Any, b: Any, sums: dict[Any, Any]
    ) -> None:
        """Write the body of the loop over k."""
        bs, along = self._load_row(k, b), self.builder.mul(k, a_step)
        self._add_products(a, a_rows, along, bs, sums)

    def _load_row(self, k: Any, b: Any) -> list[Any]:
        """Load the vectors of row k of B."""
        # packed: the rows of B lie one after the other, without gaps
        builder, row = self.builder, self.builder.mul(k, _const(self.vectors * self.length))
        places = [builder.add(row, _const(v * self.length)) for v in range(self.vectors)]
        pointers = [self._pointer(b, place, self.operands) for place in places]
        return [builder.load(pointer, align=self.size) for pointer in pointers]

    def _add_products(
        self, a: Any, a_rows: list[Any], along: Any, bs: list[Any], sums: dict[Any, Any]
    ) -> None:
        """Add A[r, k] times the vectors of B to the sums of each row r."""
        builder = self.builder
        # LLVM folds the load and broadcast into the multiplication where the CPU can
        for r in range(self.rows):
            value = builder.load(self._pointer(a, builder.add(a_rows[r], along), self.operand))
            value = self._broadcast(value)
            for v in range(self.vectors):
                total = self._multiply_add(value, bs[v], builder.load(sums[r, v]))
                builder.store(total, sums[r, v])

    def _multiply_add(self, a: Any, b: Any, total: Any) -> Any:
        """Return total + a b, fused where the CPU can."""
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fmuladd.v{self.length}f{self.size * 8}",
        )
        return self.builder.call(function, [a, b, total])

    def _pointer(self, base: Any, elements: Any, kind: Any) -> Any:
        offset = self.builder.mul(elements, _const(self.size))
        return self.builder.inttoptr(self.builder.add(base, offset), kind.as_pointer())

    def _broadcast(self, value: Any) -> Any:
        """Return a vector whose elements all equal a value."""
        # the pattern that LLVM knows as a broadcast: insert at 0, shuffle with all zeros
        undefined = ir.Constant(ir.VectorType(value.type, self.length), ir.Undefined)
        i32 = ir.IntType(32)
        first = self.builder.insert_element(undefined, value, ir.Constant(i32, 0))
        lanes = ir.Constant(ir.VectorType(i32, self.length), [0] * self.length)
        return self.builder.shuffle_vector(first, undefined, lanes)


class BFloat(ir.types._BaseFloatType):  # type: ignore[misc]
    """LLVM's type bfloat, which llvmlite lacks."""

    null, intrinsic_name = "0.0", "bf16"

    def __str__(self) -> str:
        return "bfloat"


BFloat._create_instance()


class _Pairs(_Tile):
    """A tile of bfloat16 pairs: each element of a vector adds two products at once."""

    def __init__(self, builder: Any, rows: int, vectors: int, bits: int) -> None:
        super().__init__(builder, rows, vectors, bits)
        self.operand = ir.IntType(32)
        self.operands = ir.VectorType(self.operand, self.length)

    def _multiply_add(self, a: Any, b: Any, total: Any) -> Any:
        # each element: total + a[2k] b[2k] + a[2k+1] b[2k+1], the operands seen as bfloat16
        halves = ir.VectorType(BFloat(), 2 * self.length)
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(self.vector, [self.vector, halves, halves]),
            "llvm.x86.avx512bf16.dpbf16ps.512",
        )
        a, b = (self.builder.bitcast(each, halves) for each in (a, b))
        return self.builder.call(function, [total, a, b])


class _Widened(_Tile):
    """A tile of float32 rows by bfloat16 pairs, for CPUs that cannot multiply pairs.

    A bfloat16 is the upper half of a float32: the first of a pair is shifted up, the second masked.
    """

    def __init__(self, builder: Any, rows: int, vectors: int, bits: int) -> None:
        super().__init__(builder, rows, vectors, bits)
        self.operands = ir.VectorType(ir.IntType(32), self.length)

    def _multiply_row(
        self, k: Any, a: Any, a_rows: list[Any], a_step: Any, b: Any, sums: dict[Any, Any]
    ) -> None:
        builder, pairs = self.builder, self._load_row(k, b)
        sixteen = ir.Constant(self.operands, [16] * self.length)
        upper = ir.Constant(self.operands, [0xFFFF0000] * self.length)
        first = builder.mul(builder.add(k, k), a_step)  # pair k holds the steps 2k and 2k + 1 of A
        for along, halves in (
            # step 2k: the lower halves, shifted up; step 2k + 1: the upper halves, masked
            (first, [builder.shl(pair, sixteen) for pair in pairs]),
            (builder.add(first, a_step), [builder.and_(pair, upper) for pair in pairs]),
        ):
            bs = [builder.bitcast(half, self.vector) for half in halves]
            self._add_products(a, a_rows, along, bs, sums)


@intrinsic
def prefetch(context, address):
    """Prefetch the cache line at an address for a write that follows soon."""

    def generate(codegen, builder, signature, args):
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32]),
            "llvm.prefetch.p0",
        )
        to_write, keep, data = (ir.Constant(i32, value) for value in (1, 3, 1))
        builder.call(function, [builder.inttoptr(args[0], byte), to_write, keep, data])
        return codegen.get_dummy_value()

    return types.void(types.intp), generate
