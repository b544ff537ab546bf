"""Markup helpers without queries."""

from django import template

register = template.Library()
