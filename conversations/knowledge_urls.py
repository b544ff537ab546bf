"""Addresses of what the org's AI knows."""

from django.urls import path

from conversations.views import knowledge, products

app_name = "knowledge"
urlpatterns = [
    path("", knowledge.index, name="index"),
    path("new/<slug:sort>/", knowledge.create, name="new"),
    path("<int:pk>/", knowledge.show, name="show"),
    path("<int:pk>/edit/", knowledge.edit, name="edit"),
    path("<int:pk>/reading/", knowledge.reading, name="reading"),
    path("<int:pk>/removal/", knowledge.removal, name="removal"),
    path("products/new/", products.create, name="product_new"),
    path("products/<int:pk>/", products.edit, name="product"),
    path("products/<int:pk>/removal/", products.removal, name="product_removal"),
]
