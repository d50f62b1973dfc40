"""`torchrun --nproc-per-node N -m trinch.training …`: the command `trinch train …` on N processes."""

from trinch.cli.train import main

if __name__ == "__main__":
    main()
