namespace tus {}
