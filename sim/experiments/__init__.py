"""Many runs: scenario files, designs, runs in memory, result folders, paired comparisons."""
