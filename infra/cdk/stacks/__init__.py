"""Waybill on AWS: the stacks of one environment."""
