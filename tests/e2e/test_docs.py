"""The pages' blocks of Python that start an emulator of their own."""

import pytest
from worlds.docs import Block, blocks

pytestmark = pytest.mark.laptop("own")


@pytest.mark.parametrize("block", [block for block in blocks("python") if block.needs_an_emulator], ids=str)
def test_a_block_of_python_that_starts_the_laptop_runs(block: Block) -> None:
    block.run()
