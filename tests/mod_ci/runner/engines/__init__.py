"""Tests of the engines that run jobs in boxes."""
